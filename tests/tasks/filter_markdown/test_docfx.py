"""Markup of documentation builders is taken out, the words around it stay."""

import pytest

from tasks.filter_markdown import docfx


def test_front_matter_goes() -> None:
    """The YAML block at the beginning goes, also after blank lines and when it ends in dots."""
    assert docfx.without_front_matter("---\ntitle: A\n---\nText\n---\n") == "Text\n---\n"
    assert docfx.without_front_matter("\n---\n# note\ntitle: A\n...\nText") == "Text"


@pytest.mark.parametrize(
    "source", ["---\nA sentence.\n\n---\n", "---\ntitle: never closed\n", "Text\n---\na: b\n---\n"]
)
def test_a_rule_is_no_front_matter(source: str) -> None:
    """A horizontal rule at the beginning does not hide the text up to the next one."""
    assert docfx.without_front_matter(source) == source


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (':::image type="content" source="a.png" alt-text="A: picture":::', ""),
        ('Select :::image type="icon" source="x.svg"::: now', "Select now"),
        (
            ':::image type="complex"\nsource="a.png":::\nA long description.\n:::image-end:::',
            "A long description.",
        ),
        ('::: zone pivot="cli"\nText\n::: zone-end', "Text"),
        (':::moniker range=">=1"\nText\n:::moniker-end', "Text"),
        (':::row:::\n:::column span="2":::\nText\n:::column-end:::\n:::row-end:::', "Text"),
        (':::code language="json" source="~/a.json" range="1-3":::', ""),
        ('Use :::no-loc text="Blob Storage"::: here', "Use Blob Storage here"),
        ("[!NOTE]\nText", "Text"),
        ("[!INCLUDE [a title](a.md)] after", "after"),
        ("[!INCLUDE[a title]] after", "after"),
        ('[!div class="nextstepaction"]\nNext', "Next"),
        ("[!VIDEO https://example.org/embed/1]", ""),
        ("[!code-csharp[Main](Program.cs#L1)]", ""),
        ("Select [!UICONTROL Save As]", "Select Save As"),
        ('Text{:target="_blank"} more', "Text more"),
        ("std::vector and a [!] stay", "std::vector and a [!] stay"),
    ],
)
def test_directives_go(text: str, words: str) -> None:
    """Each directive goes, and the words that it surrounds stay."""
    assert " ".join(docfx.without_directives(text).split()) == words


def test_columns_are_moved_to_the_left() -> None:
    """Text that is indented inside columns is text, not code; what follows them stays where it is."""
    column = "    :::column:::\n\n        In a column\n\n    :::column-end:::\n"
    source = f"A\n\n:::row:::\n{column}:::row-end:::\n\n    code\n"
    moved = docfx.unindent_columns(source)
    assert "\nIn a column\n" in moved
    assert moved.endswith("\n\n    code\n")
