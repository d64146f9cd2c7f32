"""What each builder's manual offers leaves no mark in prose, and loses no word."""

from pathlib import Path

import pytest

from tasks.filter_markdown.cleaning import clean_text
from tasks.filter_markdown.dialects.known import names
from tasks.filter_markdown.residue import residue
from tests.benchmarks.residue import main, prose_of, residue_of
from tests.tasks.filter_markdown.dialects.manuals import MANUALS, pages

PAGES = 200


@pytest.mark.parametrize("builder", names())
def test_a_manuals_pages_leave_no_marks(builder: str) -> None:
    """Fewer than one page in a hundred has any mark of any builder left, by all dialects and by its own."""
    assert builder in MANUALS
    for chosen in (None, [builder, "mdx"]):
        found = residue_of(((Path(builder), page) for page, _, _ in pages(builder, PAGES)), chosen)
        assert found.documents == PAGES
        assert found.share < 0.01, found.examples


@pytest.mark.parametrize("builder", names())
def test_a_manuals_pages_lose_no_word(builder: str) -> None:
    """Every word that a reader sees is there, once, and none of the prose is taken for code."""
    for page, prose, code in pages(builder, PAGES):
        cleaned = clean_text(page)
        blocks = "\n".join(cleaned.text[start:end] for start, end in cleaned.code_spans)
        assert [word for word in prose if cleaned.text.count(word) != 1] == [], page
        assert [word for word in prose if word in blocks] == [], page
        assert [word for word in code if cleaned.text.count(word) != 1] == [], page


@pytest.mark.parametrize("builder", names())
def test_marks_are_there_before(builder: str) -> None:
    """The tables know the marks of the pages as they are: without the dialects most pages have some left."""
    pages_with_marks = sum(bool(residue(prose_of(page, []))) for page, _, _ in pages(builder, 50))
    assert pages_with_marks > 25


def test_any_folder_is_counted(tmp_path: Path, capsys, monkeypatch) -> None:
    """The command prints documents, marks by dialect and examples."""
    (tmp_path / "a.md").write_text("{{< note >}} text", encoding="utf-8")
    (tmp_path / "b.mdx").write_text("# Text", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["residue", str(tmp_path), "--dialects", "mkdocs", "--show", "1"])
    main()
    printed = capsys.readouterr().out
    assert "2 documents, 1 with marks left (50.00%), 0 with lost words" in printed
    assert "hugo: shortcode: 1 documents" in printed
    assert "a.md: hugo: shortcode" in printed
