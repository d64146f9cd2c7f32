"""No word that a renderer shows is missing from the cleaned text, but for what a named rule takes away."""

from importlib.metadata import distributions
from pathlib import Path

import pytest
from git import Repo
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.clone_docs.demo_docs import markdown_of
from tasks.filter_markdown.decoding import decode
from tests.tasks.filter_markdown.hostile import GOLDEN
from tests.tasks.filter_markdown.words import lost_words, shown_words, unexplained

BUNDLE = Path(__file__).parents[4] / "shared" / "data" / "azure-management-docs.bundle"
NONE: list[str] = []

WORD = st.from_regex(r"[a-zA-Zäöß]{2,8}[0-9]?", fullmatch=True)
PLAIN = st.lists(WORD, min_size=1, max_size=5).map(" ".join)
SPAN = st.sampled_from(
    ["{}", "*{}*", "**{}**", "~~{}~~", "`{}`", "``{} ` x``", "[{}](t.md)", "[{}][no label]", "<b>{}</b>",
     "<{}>", "List<{}>", "a_{}_b", "{}[i][j]", "({{:ok, {}}})", "{}:::plot", "{{id}} {}",
     "x<sup>{}</sup>", "&copy {}", "`<!-- {}`", "`-->` {}", "<style> {}", "cp <source> {}", "{} & co",
     "5 < {} > 3", "\\*{}\\*", "{}^2", "a=={}==b", "C++ {}", "50 % {}", "<{} name>", "{}\\\nline",
     "[^1] {}", "$ {} $", "@{}", "#{}", "~{}~", "<u>{}"]
)  # fmt: skip
TEXT = st.lists(st.tuples(SPAN, PLAIN), min_size=1, max_size=4).map(
    lambda spans: " ".join(form.format(words) for form, words in spans)
)
BLOCK = st.sampled_from(
    ["{}", "# {}", "### {} ###", "{}\n===", "- {}", "1. {}", "> {}", "- a\n\n  {}", "> - {}",
     "```\n{}\n```", "    {}", "~~~ x\n{}\n~~~", "| {} | b |\n|---|---|\n| c | d |",
     "a | b\n--|--\n{} | c", "---\n{}\n\n---", "<p>{}</p>", "<div>\n{}\n</div>", "<div>\n\n{}\n\n</div>",
     "<table><tr><td>{}</td><td>x</td></tr></table>", "<ul><li>{}<li>y</ul>", "<dl><dt>{}<dd>z</dl>",
     "<details><summary>{}</summary>\n\nw\n\n</details>", "<pre>{}</pre>", "<a id='x'></a>\n{}",
     "<title> {}", "<br>{}", "[^1]: {}", "***\n{}", "* [ ] {}", "Note: {}", "% {}", "/// {}", "=== {}",
     "import {}", "export {}", "{}\n: {}", "!{}", "$$\n{}\n$$", "\t{}", "+++\n{}"]
)  # fmt: skip
PAGE = st.lists(st.tuples(BLOCK, TEXT), min_size=1, max_size=6).map(
    lambda blocks: "\n\n".join(form.replace("{}", text) for form, text in blocks)
)


@settings(max_examples=300, deadline=None)
@given(PAGE)
def test_generated_pages_lose_no_word(page: str) -> None:
    """Whatever stands beside it, in whatever block: a page without a builder's marks keeps every word."""
    assert lost_words(page) == {}, page


def test_golden_pages_lose_no_word() -> None:
    """What is not kept of them, a named rule takes away."""
    for page in GOLDEN:
        assert unexplained(page) == {}, page


def test_packages_descriptions_lose_no_word() -> None:
    """All Markdown that the installed packages carry: every word is kept, or a named rule takes it away."""
    pages = {one.metadata["Name"]: text for one in distributions() if (text := markdown_of(one))}
    assert len(pages) >= 20
    for name, page in pages.items():
        text = decode(page.encode())[0]
        assert lost_words(text, NONE) == {}, name
        assert unexplained(text) == {}, name


@pytest.mark.skipif(not BUNDLE.is_file(), reason=f"no documentation at {BUNDLE}")
def test_real_documentation_loses_no_word(tmp_path: Path) -> None:
    """A repository of 813 pages: every word is kept, or a named rule takes it away."""
    Repo.clone_from(str(BUNDLE), tmp_path / "docs").close()
    words = 0
    for file in sorted((tmp_path / "docs").rglob("*.md")):
        text, reason = decode(file.read_bytes())
        assert reason is None
        assert lost_words(text, NONE) == {}, file
        assert unexplained(text) == {}, file
        words += shown_words(text).total()
    assert words > 500_000


def test_a_lost_word_is_found() -> None:
    """What hides a word that is shown is told: a check that could not fail would prove nothing."""
    assert shown_words("a <b>b</b>c\n\n<p>d&amp;e</p> `f`") == {"a": 1, "bc": 1, "d": 1, "e": 1, "f": 1}
    assert lost_words("[!NOTE] a :::image source='x':::") == {"NOTE": 1, "image": 1, "source": 1, "x": 1}
    assert unexplained("[!NOTE] a :::image source='x':::") == {}
    assert shown_words("a[^1]\n\n[^1]: b <title>c</title>") == {"a": 1, "b": 1}
