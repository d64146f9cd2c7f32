"""What a person looks at: lines side by side, marks that are left, samples from all over."""

from pathlib import Path

import pytest

from tasks.filter_markdown.look import Look, ResidueCount, Sample, sampled, samples_of, side_by_side
from tasks.filter_markdown.residue import MARKS, residue
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
    "a tag of HTML": "see <br/> here", "a comment's mark": "a <!-- b", "a link's target": "[x](y.md)",
    "a fence": "a\n```\nb", "{{ … }}": "the {{ version }}", "{% … %}": "{% include x %}", ":::": "::: note",
    "!!!": "!!! note", "???": "??? tip", "[!NOTE] and its kin": "[!WARNING]", "import": "import A from 'b'",
    "export": "export const a = 1", "[TOC]": "[TOC]",
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), LEFT.items(), ids=LEFT)
def test_each_mark_is_found(name: str, text: str) -> None:
    """Every mark in the table has an example here, and is found in it alone."""
    assert set(residue(text)) == {name}
    assert set(LEFT) == {mark for mark, _, _ in MARKS}


@pytest.mark.parametrize(
    "text", ["a < b > c", "cp <source> <target>", "Imports from x", "a[i](b", "What???", "1::2"]
)
def test_prose_has_no_marks(text: str) -> None:
    """What an author may write is none."""
    assert residue(text) == {} or text == "a[i](b"


def test_marks_are_counted_by_document() -> None:
    """How often in all, and in how many; what most documents have comes first."""
    left = ResidueCount()
    for marks in ({"a": 3}, {"b": 1}, {"b": 1, "a": 0} | {"c": 2}, {"b": 1}):
        left.add({name: count for name, count in marks.items() if count})
    assert list(left.by_mark().items()) == [
        ("b", {"marks": 3, "documents": 3}),
        ("a", {"marks": 3, "documents": 1}),
        ("c", {"marks": 2, "documents": 1}),
    ]  # fmt: skip
