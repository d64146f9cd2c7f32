"""What a person looks at: lines side by side, marks that are left, samples from all over."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.filter_markdown.look import Look, ResidueCount, Sample, sampled, samples_of, side_by_side
from tasks.filter_markdown.residue import marks, residue
from tasks.filter_markdown.settings import FilterSettings
from tests.tasks.filter_markdown.test_corpus import prose, run, snapshot


def test_lines_that_belong_together_stand_side_by_side() -> None:
    """What cleaning took away has nothing beside it, and each other line what became of it."""
    raw = "---\ntitle: x\n---\n# Title\n\n[A link](there.md) to all.\n\n<!-- gone -->\n\nThe end.\n"
    pairs = list(side_by_side(Sample(path="a.md", raw=raw, cleaned="Title\n\nA link to all.\n\nThe end.")))
    assert ("# Title", "Title") in pairs
    assert ("The end.", "The end.") in pairs
    assert ("title: x", "") in pairs
    assert [text for _, text in pairs if text] == ["Title", "A link to all.", "The end."]


def test_what_is_long_is_cut() -> None:
    """Long lines and long documents end in dots."""
    text = "\n".join(f"{n} {'x' * 500}" for n in range(200))
    pairs = list(side_by_side(Sample(path="a.md", raw=text, cleaned=text)))
    assert len(pairs) == 25
    assert pairs[-1] == ("…", "…")
    assert max(len(raw) for raw, _ in pairs) == 160


@pytest.mark.parametrize(
    ("count", "places"), [(0, []), (1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (60, [10, 30, 50])]
)
def test_samples_are_from_all_over(count: int, places: list[int]) -> None:
    """Three, or all where there are fewer."""
    assert sampled([str(n) for n in range(count)]) == [str(place) for place in places]


def test_a_corpus_comes_with_something_to_look_at(tmp_path: Path) -> None:
    """Of kept documents the text as it was found and as it is kept; dropped ones are not shown."""
    contents = {f"{n}.md": prose(n) for n in range(9)} | {"short.md": b"# x"}
    run(tmp_path, snapshot(tmp_path, contents), FilterSettings(min_chars=20))
    look = Look.read(tmp_path / "out" / "look.json")
    assert [sample.path for sample in look.samples] == ["1.md", "4.md", "7.md"]
    assert look.samples[0].raw == prose(1).decode()
    assert look.samples[0].cleaned == "Title 1\n\nA link in sentence 1.\n\nrun 1"
    assert samples_of(tmp_path / "documents.parquet", tmp_path / "out" / "corpus.parquet", []) == []


LEFT = {
    "html: tag": "see <br/> here", "html: comment": "a <!-- b", "markdown: link": "[x](y.md)",
    "markdown: fence": "a\n```\nb", "template: value": "the {{ version }}",
    "docfx: directive": "::: moniker-end", "docfx: alert": "[!WARNING]",
    "docfx: reference": "see xref:System.Text", "docfx: heading id": "Title {#title}",
    "docusaurus: container": "::: info", "docusaurus: contents": "[[_TOC_]]", "hugo: shortcode": "a {{< b",
    "jekyll: tag": "{% include x %}", "jekyll: value": "{{ site.url }}", "jekyll: attributes": "a {: .note }",
    "mdx: module": "import A from 'b'", "mdx: comment": "a {/* b", "mdx: component": "</Tabs>",
    "mkdocs: admonition": "??? tip", "mkdocs: tab": "=== 'Tab'", "mkdocs: block": "/// note",
    "mkdocs: snippet": "-8<- 'x.md'", "mkdocs: file": "{* a.py *}", "mkdocs: icon": "a :material-home: b",
    "mkdocs: keys": "press ++ctrl+c++", "mkdocs: contents": "[TOC]", "myst: directive": "::: {figure}",
    "myst: option": ":class: wide",
    "myst: target": "(there)=", "myst: role": "see {ref}", "myst: comment": "% a comment",
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), LEFT.items(), ids=LEFT)
def test_each_mark_is_found(name: str, text: str) -> None:
    """Every mark of every table has an example here, and is found in it alone."""
    found = set(residue(f"Before.\n\n{text}\n\nBehind."))
    assert {name} <= found <= {name, "template: value"}
    assert set(LEFT) == set(marks())


@pytest.mark.parametrize("name", LEFT)
@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_marks_signs_are_in_all_that_it_matches(name: str, data: st.DataObject) -> None:
    """A text without a sign is not searched, so there is none that matches without one."""
    text = data.draw(st.from_regex(marks()[name].pattern))
    assert residue(text)[name] >= 1, text


@pytest.mark.parametrize(
    "text",
    [
        "a < b > c", "cp <source> <target>", "Imports from x", "a[i]", "What???", "1::2", "{:ok, pid}",
        "stats:::plot", "[!a-z]", "import it from there", "50 % more", "a ++ b", "List<Object>",
        "a }} b {{ c",
    ],
)  # fmt: skip
def test_prose_has_no_marks(text: str) -> None:
    """What an author may write is none."""
    assert residue(text) == {}


def test_marks_are_counted_by_document() -> None:
    """How often in all, and in how many; what most documents have comes first."""
    left = ResidueCount()
    for found in ({"a": 3}, {"b": 1}, {"b": 1, "a": 0} | {"c": 2}, {"b": 1}):
        left.add({name: count for name, count in found.items() if count})
    assert list(left.by_mark().items()) == [
        ("b", {"marks": 3, "documents": 3}),
        ("a", {"marks": 3, "documents": 1}),
        ("c", {"marks": 2, "documents": 1}),
    ]  # fmt: skip
