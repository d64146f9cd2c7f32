"""The parser for any input reads what Python's own can read as Python's own does."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from tasks.filter_markdown.forgiving import ForgivingParser, decoded
from tests.tasks.filter_markdown.hostile import documents


def events(kind: type[HTMLParser], html: str) -> list[tuple[str, Any]]:
    """Everything that a parser of this kind tells of `html`, in order."""
    told: list[tuple[str, Any]] = []

    class Telling(kind):  # type: ignore[misc, valid-type]
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            told.append((f"<{tag}", (attrs, self.get_starttag_text())))

        def handle_startendtag(self, tag: str, attrs: Any) -> None:
            told.append((f"<{tag}/", attrs))

        def handle_endtag(self, tag: str) -> None:
            told.append(("</", tag))

        def handle_data(self, data: str) -> None:
            told.append(("data", data))

        def handle_entityref(self, name: str) -> None:
            told.append(("&", name))

        def handle_charref(self, name: str) -> None:
            told.append(("&#", name))

        def unknown_decl(self, data: str) -> None:
            told.append(("<![", data))

        def handle_comment(self, data: str) -> None:
            told.append(("<!--", data))

    parser = Telling() if kind is ForgivingParser else Telling(convert_charrefs=False)
    parser.feed(html)
    parser.close()
    return told


def test_what_python_reads_is_read_alike() -> None:
    """On generated and wounded documents the two parsers tell the same, wherever Python's does not raise."""
    read = refused = 0
    for html in documents(6_000, seed=15):
        told = events(ForgivingParser, html)
        try:
            expected = events(HTMLParser, html)
        except (AssertionError, ValueError):
            refused += 1
            continue
        read += 1
        assert told == expected, html
    assert min(read, refused) > 100


@pytest.mark.parametrize(
    ("html", "told"),
    [
        ("a<![Screenshot](x)>b", [("data", "a"), ("<!--", "[Screenshot](x)"), ("data", "b")]),
        ("<![%draft;[x]]>", [("<!--", "[%draft;[x]]")]),
        ("<![CDATA[x]]>", [("<![", "CDATA[x")]),
    ],
)
def test_an_unknown_declaration_is_a_comment(html: str, told: list[tuple[str, str]]) -> None:
    """It ends at the next `>`, and sections that are known stay what they are."""
    assert events(ForgivingParser, html) == told


def test_references_are_decoded() -> None:
    """As Python does where a semicolon ends them, but for numbers of any length, which are no characters."""
    for text in documents(500, seed=16):
        if "1" * 4000 not in text:
            assert decoded(text) == re.sub(r"&#?\w+;", lambda found: unescape(found[0]), text)
    assert decoded("&copy_x &copy; &lt a=1&para=2 &nosuch; &#x41;") == "&copy_x © &lt a=1&para=2 &nosuch; A"
    assert decoded(f"a &#{'1' * 5000}; &lt;") == "a \ufffd <"
