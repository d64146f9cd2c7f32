"""Cleaning reads whatever it is given, in time that grows with its length."""

import _markupbase
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from tasks.filter_markdown import forgiving
from tasks.filter_markdown.cleaning import clean_raw, clean_text
from tasks.filter_markdown.judging import RawDocument, judge_batch
from tasks.filter_markdown.settings import FilterSettings
from tests.tasks.filter_markdown.hostile import documents

ENDLESS = f"&#{'1' * 5000};"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<div>\nOne <![Screenshot](x)> two\n</div>", "One two"),
        ("<![Screenshot](x)>\n\nWords.", "Words."),
        ("<div>\n<![%draft;[x]]>One", "One"),
        ("<div>\nOne <![draft [x]]> two", "One two"),
        ("<div>\n<![1]>One", "One"),
        (f'<div>\n<a href="{ENDLESS}">One</a>', "One"),
        (f"<pre>One {ENDLESS}</pre>", "One \ufffd"),
        (f'<div>\n<script x="{ENDLESS}">no</script>One', "One"),
        ("`[!a]` <xref:%007%00>", "[!a] \x007\x00"),
        (f"`[!a]` <xref:%00{'1' * 5000}%00>", f"[!a] \0{'1' * 5000}\0"),
    ],
)
def test_what_python_refuses_is_read(source: str, text: str) -> None:
    """Declarations that HTML does not know go as comments do, and no number is too long."""
    assert clean_text(source).text == text


def test_ten_thousand_hostile_documents_are_read() -> None:
    """Of generated and wounded documents none is an error, and code spans lie in order in the text."""
    settings = FilterSettings(min_chars=0)
    for source in documents(10_000):
        cleaned = clean_text(source)
        ends = [end for span in cleaned.code_spans for end in span]
        assert ends == sorted(ends), source
        assert all(0 <= end <= len(cleaned.text) for end in ends), source
    for source in documents(1_000, seed=14):
        clean_raw(source)
        clean_text(source, keep_code=False)
        (judged,) = judge_batch([RawDocument(path="a.md", blob_sha="0", content=source.encode())], settings)
        assert judged.reason in (None, "too_short"), source


class Counted:
    """A pattern that counts the characters it goes over."""

    def __init__(self, pattern: Any, count: Callable[[int], None]) -> None:
        self._pattern, self._count = pattern, count

    def match(self, text: str, position: int) -> Any:
        """As the pattern's own."""
        found = self._pattern.match(text, position)
        self._count(found.end() - position + 1 if found else 1)
        return found


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """How much is done to clean a document: calls, characters of start tags, and of searches for an end."""
    done = 0

    def count(much: int = 1) -> None:
        nonlocal done
        done += much

    for name in ("_TAG_BEGIN", "_ATTRIBUTE"):
        monkeypatch.setattr(forgiving, name, Counted(getattr(forgiving, name), count))
    section = _markupbase.ParserBase.parse_marked_section

    def counted_section(parser: Any, i: int, report: bool = True) -> int:
        end = section(parser, i, report)
        count((end if end >= 0 else len(parser.rawdata)) - i)
        return end

    monkeypatch.setattr(_markupbase.ParserBase, "parse_marked_section", counted_section)

    def measured(source: str) -> int:
        nonlocal done
        done = 0

        def call(_frame: FrameType, event: str, _argument: Any) -> None:
            if event in ("call", "c_call"):
                count()

        before = sys.getprofile()
        sys.setprofile(call)
        try:
            clean_text(source)
        finally:
            sys.setprofile(before)
        return done

    return measured


@pytest.mark.parametrize(
    "unit",
    ['<a b=">"', "<a b='>'", '<a b=">" c=\'>\'', "<![if x>", "<![CDATA[>", "<![cdata[>]>", "<![endif]>",
     "<![x]>", "<!doctype >", "<?>", "</a >", "<a b>", f'<a b="{ENDLESS}">', "&#1 ", "`[!a]` ",
     "<xref:%000%00> ", "<pre>", "<div>\n\n"],
)  # fmt: skip
@pytest.mark.parametrize("end", ["", "]>", " x='"])
def test_work_grows_with_length(work: Callable[[str], int], unit: str, end: str) -> None:
    """Four times as much of what nests or is never closed makes at most some four times as much work."""
    times = max(100, 2_000 // len(unit)) if len(unit) < 1000 else 8
    little, much = (work("<div>\n" + unit * n + end) for n in (times, 4 * times))
    assert much < 5 * little
