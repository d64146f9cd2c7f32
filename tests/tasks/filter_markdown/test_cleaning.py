"""Markdown in, words out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.filter_markdown.cleaning import clean_raw, clean_text
from tests.tasks.filter_markdown.hostile import linear_time

DOCUMENT = """\
---
title: Push an image
ms.topic: how-to
---

# Push an *image* {#push}

<!-- a comment

over lines -->
A [registry](registry.md "Title") stores images,
wrapped &amp; linked. See [the docs][docs] or [nothing][missing].
[!INCLUDE [preview](includes/preview.md)]

![Badge](badge.svg)

:::image type="content" source="media/a_b_c.png" alt-text="Screenshot of a_b.":::

> [!NOTE]
> Use `az acr login` for <registry-name>.

# [Azure CLI](#tab/cli)

1. Sign in:

   ```azurecli
   az login  # [!NOTE] :::code::: <b>

   az acr login
   ```
1. Push.
   - Nested[^1]
   - [x] done

---

| Name | Use |
|------|-----|
| `a|b` | First<br>second |
| | ![x](y.png) |
| c\\|d | <https://example.org> |

<details>
<summary>More</summary>

Hidden **text**.

</details>

[docs]: https://example.org/docs
[^1]: A footnote.
"""

CLEANED = """\
Push an image

A registry stores images, wrapped & linked. See the docs or [nothing][missing].

Use az acr login for <registry-name>.

Azure CLI

Sign in:

az login  # [!NOTE] :::code::: <b>

az acr login

Push.
Nested
done

Name | Use
`a | b`
c|d | https://example.org

More

Hidden text.

A footnote."""


def test_a_document_keeps_its_words_and_loses_its_markup() -> None:
    """Prose, headings, cells and code stay, each on its lines; all else goes."""
    assert clean_text(DOCUMENT).text == CLEANED


def test_code_spans_are_the_code_blocks() -> None:
    """The spans cut the code blocks, and nothing else, out of the text, at both levels."""
    code = "az login  # [!NOTE] :::code::: <b>\n\naz acr login"
    cleaned = clean_text("é\n\n" + DOCUMENT)
    assert [cleaned.text[a:b] for a, b in cleaned.code_spans] == [code]
    raw = clean_raw("é ü\n\n```\nx é\n```\n\nü\n\n    y\n")
    assert [raw.text[a:b] for a, b in raw.code_spans] == ["```\nx é\n```", "y\n"]


def test_code_blocks_can_be_left_out() -> None:
    """Without code blocks, code inside sentences stays."""
    cleaned = clean_text(DOCUMENT, keep_code=False)
    assert cleaned.code_spans == []
    assert "az login" not in cleaned.text
    assert "Use az acr login for" in cleaned.text


def test_raw_is_the_text_as_it_is() -> None:
    """The raw level changes nothing."""
    assert clean_raw(DOCUMENT).text == DOCUMENT


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<details>\n<!-- a\n\nb -->\nText", "Text"),
        ("Before <!-- a\n\nb --> after\n\n```\n<!-- code -->\n```", "Before after\n\n<!-- code -->"),
        ("<a name='x'></a>\n## Heading\nwith [a link](x.md)", "Heading\n\nwith a link"),
        ("<ul>\n<li>One [link](x.md)</li>\n<li>Two</li>\n</ul>", "One [link](x.md)\nTwo"),
        ("<pre>a &lt; b\n  c</pre>", "a < b\n  c"),
        ("a<br>b", "a\nb"),
        ("a\u00a0b\u200bc &nbsp; d", "a bc d"),
        ("Type `[!NOTE]` or `:::image:::`", "Type [!NOTE] or :::image:::"),
        ("<xref:System.String?displayProperty=nameWithType>", "System.String"),
        ("| a | b |\n|---|---|---|\n| c | d |", "a | b\nc | d"),
        ("un**believ**able ~~old~~ H<sub>2</sub>O", "unbelievable old H2O"),
        ("a <style>b {}</style> c", "a c"),
        ("***\n\n* * *", ""),
        ("a ![b <name> `c`\nd [e](f)](g.png) h", "a h"),
        ("| a | | c |\n|---|---|---|\n| | d | |\n| | | |", "a | | c\n| d"),
        ("- a\n- b\n\n1. c\n2. d", "a\nb\n\nc\nd"),
        # Read as HTML and then as Markdown, this is HTML again, and so on.
        ("<resource-group>\n\nWords.", "<resource-group>\n\nWords."),
        ("", ""),
    ],
)
def test_corners(source: str, text: str) -> None:
    """What authors write around Markdown's edges comes out as a reader sees it."""
    assert clean_text(source).text == text


WORD = st.text(alphabet="abcdefgzABCéßя0123456789", min_size=1, max_size=8)
SENTENCE = st.lists(WORD, min_size=1, max_size=8).map(lambda words: "w" + " ".join(words) + ".")
PROSE = st.lists(SENTENCE, min_size=1, max_size=5).map("\n\n".join)


@given(PROSE)
def test_plain_prose_is_left_alone(prose: str) -> None:
    """Cleaning paragraphs of plain words changes nothing, so cleaning twice equals cleaning once."""
    assert clean_text(prose).text == prose


@given(
    st.lists(
        st.tuples(
            SENTENCE,
            st.sampled_from(["# {}", "- {}", "> {}", "**{}**", "1. {}", "[{}](t.md)", "| {} |\n|-|"]),
        )
    )
)
def test_words_keep_their_order(blocks: list[tuple[str, str]]) -> None:
    """Whatever stands around them, all words come out, in order, and no link's target does."""
    source = "\n\n".join(form.format(words) for words, form in blocks)
    assert clean_text(source).text.split() == " ".join(words for words, _ in blocks).split()


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab \n\t[]()<>!*_`:#-|&;{}~\\\"'=/.1é\u00a0", max_size=200))
def test_any_input_is_read(source: str) -> None:
    """Any text is cleaned without an error, and its spans lie inside it, in order."""
    for cleaned in (clean_text(source), clean_raw(source)):
        ends = [end for span in cleaned.code_spans for end in span]
        assert ends == sorted(ends)
        assert all(0 <= end <= len(cleaned.text) for end in ends)


LENGTH = 300_000


@pytest.mark.parametrize(
    "unit",
    ["[", "*", "`", ">", "- ", "![", "[a](b)", "<!-- ", "x <!-- a\n\n", "<", "<div>\n\n", ":", ":::image ",
     ":::row:::\n", ":::row\n", "[!a", "{:", "a|b\n|--|\n", "---\na: b\n", "\n", " ", "&", "`:::`", "[a][b]",
     "~~~\n"],
)  # fmt: skip
def test_hostile_markdown_takes_linear_time(unit: str) -> None:
    """300,000 characters of what nests or is never closed are cleaned in seconds, not hours."""
    source = unit * (LENGTH // len(unit))
    with linear_time():
        clean_text(source)
        clean_raw(source)


@pytest.mark.parametrize(
    "source", ["[" * 150_000 + "]" * 150_000, "x\n" + "[!" + "a" * LENGTH, "---" + " " * LENGTH]
)
def test_hostile_lines_take_linear_time(source: str) -> None:
    """Long runs inside one construct are no trap either."""
    with linear_time():
        clean_text(source)
