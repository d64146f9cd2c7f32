"""Documents that nobody would write on purpose: a grammar of fragments, and golden documents with wounds."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DOCS = Path(__file__).parents[2] / "golden" / "docs"
GOLDEN = [path.read_text() for path in sorted(DOCS.glob("*.md"))]
TAGS = ["<", ">", "/", "<a", "<div>\n", "</div>", "<pre>", "</pre>", "<script>", "</script>", "<style", "<b ",
        '"', "'", "=", "x", "href", 'a="', "b='", "<td>", "</td>", "<resource-group>", "<br/>", "<svg>",
        "<title>", "<details>", "<summary>", "</", "</ ", '<a b=">"', "<a/b=>"]  # fmt: skip
DECLARATIONS = ["<!", "<![", "<![CDATA[", "<![if ", "<![endif]>", "<![%draft;[", "]]>", "]>", "<!doctype",
                "<!DOCTYPE html [", "<!ENTITY", "<!ELEMENT", "%draft;", "<?xml", "?>", "<!--", "-->", "--",
                "<![Screenshot](x)>", "<![1]>"]  # fmt: skip
REFERENCES = ["&", "&#", "&#65;", "&#0;", "&#xD800;", "&amp;", "&#x", "&lt", f"&#{'1' * 5000};"]
MARKDOWN = [" ", "\n", "\n\n", "]", "[", "`", "```\n", "~~~\n", "| a | b |", "|--|--|", "- ", "1. ", "> ",
            "# ", "\\", "*", "**", "_", "~~", "    ", "\t", "![", "](x)", "(", ")", "[x]: y\n", "[^1]",
            "[^1]: z\n", "\xa0", "é", "\x0b", "\x85", "\x1b[31m", "\u202e"]  # fmt: skip
DOCFX = ["::: ", ":::", ":::image ", ":::row:::\n", ":::row-end:::\n", "[!NOTE]", "[!INCLUDE [x](y)]",
         "`[!x]`", "{:", "}", "{#a}", "---\n", "a: b\n", "<xref:a.b>", "<xref:%000%00>",
         "<xref:%0099%00>"]  # fmt: skip
FRAGMENTS = TAGS + DECLARATIONS + REFERENCES + MARKDOWN + DOCFX

CPU_SECONDS = 10.0
"""What no input of the tests' lengths takes that is read in a time in proportion to them: most take 0.1."""


@contextmanager
def linear_time() -> Iterator[None]:
    """Fails where what is done within took the processor as long as only steps without end do.

    Of the processor's time, not the clock's: a busy machine takes longer, and does no more for it.
    """
    began = time.process_time()
    yield
    took = time.process_time() - began
    assert took < CPU_SECONDS, f"{took:.1f} seconds of the processor"


def documents(count: int, seed: int = 13) -> Iterator[str]:
    """`count` documents, the same for the same seed."""
    draw = random.Random(seed)
    for number in range(count):
        yield made(draw) if number % 3 else mutated(draw)


def made(draw: random.Random) -> str:
    """Fragments in any order, half of them within a block of HTML."""
    return draw.choice(["", "<div>\n"]) + "".join(draw.choices(FRAGMENTS, k=draw.randint(1, 30)))


def mutated(draw: random.Random) -> str:
    """A piece of a golden document with some characters replaced by fragments."""
    text = draw.choice(GOLDEN)
    begin = draw.randrange(len(text))
    text = text[begin : begin + draw.randint(10, 800)]
    for _ in range(draw.randint(1, 8)):
        place = draw.randrange(len(text) + 1)
        text = text[:place] + draw.choice(FRAGMENTS) + text[place + draw.randint(0, 3) :]
    return text
