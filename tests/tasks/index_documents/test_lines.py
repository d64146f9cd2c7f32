"""A passage is found again in its raw document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.index_documents.lines import RawLines

RAW = """---
title: Keys
description: A key opens a vault.
---
# Keys

A key opens a vault.

## Example

First [see the page](https://example.org/a(b)) of `keys`.

<h2>Rotate a <b>key</b></h2>

Rotate it with
the **portal**, and then
restart.

## Example

A second example, which is not the first.

### Named {#its-name}

| a | b |
"""


def lines(raw: str, *passages: tuple[str, str]) -> list[int | None]:
    """The line of each passage, of a heading and its text."""
    known, before = RawLines(raw.encode()), None
    found = []
    for heading, text in passages:
        found.append(known.find(heading, text, is_first=heading != before))
        before = heading
    return found


def test_passages_are_found_behind_one_another():
    """Front matter is no place, markup does not hide words, a heading may come again."""
    found = lines(
        RAW,
        ("Keys", "A key opens a vault."),
        ("Example", "First see the page of keys."),
        ("Rotate a key", "Rotate it with the portal, and then restart."),
        ("Example", "A second example, which is not the first."),
        ("Named", "what cleaning has made of it"),
        ("Unheard", "of all this"),
    )
    assert found == [7, 11, 15, 21, 23, None]


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe\0", b"---\ntitle: a\n---\n", b"\n\n\n"])
def test_what_has_no_words_has_no_lines(raw):
    """A raw document may be anything."""
    assert RawLines(raw).find("Heading", "and text", is_first=True) is None


def test_line_ends_of_windows_are_line_ends():
    """And a byte order mark is no word."""
    assert lines("\ufeffOne word\r\n\r\nTwo words here\r\n", ("", "One word"), ("", "Two words here")) == [
        1,
        3,
    ]


@given(st.lists(st.text(alphabet="abcdef", min_size=3, max_size=12), min_size=9, max_size=80, unique=True))
def test_every_paragraph_is_found_where_it_stands(words):
    """Paragraphs of different words, a blank line between two."""
    paragraphs = [" ".join(words[first : first + 9]) for first in range(0, len(words) - 8, 9)]
    expected = [1 + 2 * number for number in range(len(paragraphs))]
    assert lines("\n\n".join(paragraphs), *(("", text) for text in paragraphs)) == expected


def test_the_description_of_front_matter_is_no_passage():
    """Though a page without a heading often begins with the same words."""
    raw = "---\ndescription: A key opens a vault today.\n---\nA key opens a vault today.\n"
    assert lines(raw, ("", "A key opens a vault today.")) == [4]


def test_what_stands_twice_is_found_twice():
    """Equal paragraphs, and equal headings whose text is not found, each in its turn."""
    text = "Choose the region that is the nearest to you."
    assert lines(f"{text}\n\n{text}\n", ("", text), ("", text)) == [1, 3]
    raw = "# Note\n\n$$a$$\n\n# Use\n\nUse the portal for all of it.\n\n# Note\n\n$$b$$\n"
    passages = (
        ("Note", "something else"),
        ("Use", "Use the portal for all of it."),
        ("Note", "something else"),
    )
    assert lines(raw, *passages) == [1, 7, 9]
