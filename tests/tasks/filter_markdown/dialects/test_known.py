"""A dialect is a file: what is there is used, each has a table of marks and a test file."""

from pathlib import Path

import pytest

from tasks.filter_markdown.dialects.known import dialect, dialects, names
from tests.tasks.filter_markdown.dialects.shown import shown


def test_every_file_is_a_dialect() -> None:
    """They are found by their files, and all are read by default."""
    assert names() == ("docfx", "docusaurus", "hugo", "jekyll", "mdx", "mkdocs", "myst")
    assert [one.name for one in dialects()] == list(names())
    assert [one.name for one in dialects(["myst", "hugo"])] == ["hugo", "myst"]


@pytest.mark.parametrize("name", names())
def test_a_dialect_has_marks_and_tests(name: str) -> None:
    """Its table names what prose must not hold, and a file beside this one tries it."""
    assert dialect(name).marks
    assert (Path(__file__).parent / f"test_{name}.py").is_file()


@pytest.mark.parametrize(
    ("name", "source", "text"),
    [
        ("docfx", "Text [!UICONTROL Save] :::image source='a':::", "Text Save"),
        ("docusaurus", ":::tip Title\nText\n:::", "Title\n\nText"),
        ("hugo", "{{< note >}} text", "text"),
        ("jekyll", "{% note %} text", "text"),
        ("mdx", "{/* c */} text", "text"),
        ("mkdocs", "!!! note \"T\"\n    text", "T\n\ntext"),
        ("myst", "```{note}\ntext\n```", "text"),
    ],
)  # fmt: skip
def test_a_dialect_that_is_not_chosen_is_let_be(name: str, source: str, text: str) -> None:
    """Its marks go where it is chosen, alone or among others, and stay where it is not."""
    assert shown(source) == shown(source, name) == text
    assert shown(source, *(set(names()) - {name})) != text
