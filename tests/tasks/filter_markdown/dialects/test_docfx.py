"""DocFX: directives go and the words around them stay, references are read as names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.filter_markdown.cleaning import clean_text
from tasks.filter_markdown.dialects import docfx
from tests.tasks.filter_markdown.dialects.shown import shown


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
        (
            "a set [!a-z], [!abc], ggplot:::geom and base:::print stay",
            "a set [!a-z], [!abc], ggplot:::geom and base:::print stay",
        ),
        ("ask @System.String of me@example.com, @user", "ask System.String of me@example.com, @user"),
        ("std::vector and a [!] stay", "std::vector and a [!] stay"),
    ],
)
def test_directives_go(text: str, words: str) -> None:
    """Each directive goes, and the words that it surrounds stay."""
    assert " ".join(docfx.text(text).split()) == words


def test_columns_are_moved_to_the_left() -> None:
    """Text that is indented inside columns is text, not code; code inside or after them stays code."""
    column = "    :::column:::\n\n        In *a* column\n\n        ```\n          x\n        ```\n\n"
    column += "    :::column-end:::\n"
    source = f"A\n\n:::row:::\n{column}:::row-end:::\n\n    code\n"
    assert shown(source) == "A\n\nIn a column\n\n<<  x>>\n\n<<code>>"
    fenced = f"```\n:::row:::\n{':::column:::'}\n    x\n:::row-end:::\n```"
    assert shown(fenced) == "<<:::row:::\n:::column:::\n    x\n:::row-end:::>>"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<xref:A.B%2A> <xref:N.T%601.M%60%601> <xref:A.B.C%28System.String%29>", "A.B N.T.M A.B.C"),
        ("[](xref:System.Text.Json) and [its name](xref:X.Y?text=z)", "System.Text.Json and its name"),
        ('<xref href="A.B%2A" data-x="y"/> <xref uid="C.D"></xref>', "A.B C.D"),
        ("`<xref:A.B%2A>`", "<xref:A.B%2A>"),
        ("## A {#b}\n\n## C { #d .e }\n\n## F {: #g}\n\n## `{#h}`\n\n## I {j}",
         "A\n\nC\n\nF\n\n{#h}\n\nI {j}"),
        ("[TOC]\n\nText [TOC] stays", "Text [TOC] stays"),
        ('[Away](x){:target="_blank"} and {:ok, pid}', "Away and {:ok, pid}"),
        ("> [!NOTE]\n> Text `[!NOTE]`\n\n| [!INCLUDE [x](y)] t |\n|---|\n| `:::code:::` |",
         "Text [!NOTE]\n\nt\n:::code:::"),
    ],
)  # fmt: skip
def test_references_and_ids(source: str, text: str) -> None:
    """An API is read by its name, a heading without its id, in every spelling; in code both stay."""
    assert shown(source) == text


@given(
    name=st.from_regex(r"[\w:.-]{1,20}", fullmatch=True),
    form=st.sampled_from(["{{#{}}}", "{{ #{} }}", "{{:#{}}}", "{{: #{} .note}}", "{{#{} .a .b}}"]),
)
def test_a_heading_of_any_id_is_read_without_it(name: str, form: str) -> None:
    """Whatever characters an id begins with and is made of, and whatever else stands in the braces."""
    cleaned = clean_text(f"Above\n\n## Rotate keys {form.format(name)}\n\nBelow")
    assert cleaned.text == "Above\n\nRotate keys\n\nBelow"
