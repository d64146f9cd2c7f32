"""Where sentences and words begin."""

import numpy as np
import pytest
import sentencex
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.boundaries import INSIDE_WORD, LANGUAGE, SENTENCE, WORD, boundary_levels, sentence_starts
from tests.tiny import tiny_tokenizer


def pieces(text: str, spans: list[dict[str, int]] | None = None) -> list[str]:
    """A text cut where its sentences begin."""
    starts = sentence_starts(text, spans or [])
    return [text[a:b].strip() for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Run it. Then wait, e.g. 5 min.", ["Run it.", "Then wait, e.g. 5 min."]),
        ("It works on .NET 4.5. See v1.2.3 now!", ["It works on .NET 4.5.", "See v1.2.3 now!"]),
        ("Open https://a.b/c?d=e. Click OK.", ["Open https://a.b/c?d=e.", "Click OK."]),
        ("Title\n\nFirst one. Second", ["Title", "First one.", "Second"]),
        ("one\ntwo | a row\n\n\nthree", ["one", "two | a row", "three"]),
    ],
)
def test_sentences_begin_where_a_reader_says(text: str, expected: list[str]) -> None:
    """Full stops inside names and addresses end nothing; headings, items and rows are on their own."""
    assert pieces(text) == expected


def test_code_is_cut_at_lines_only() -> None:
    """Inside code every line begins something, whatever its punctuation; after it sentences do again."""
    text = "Do this. Now.\n\naz login. Now\n\naz logout\n\nDone. Good."
    start, end = text.index("az"), text.index("\n\nDone")
    found = pieces(text, [{"start": start, "end": end}])
    assert found == ["Do this.", "Now.", "az login. Now", "az logout", "Done.", "Good."]


@given(st.text(st.sampled_from("ab.!? \n\"'(é1"), max_size=200))
@settings(max_examples=200, deadline=None)
def test_starts_are_in_order_and_lose_nothing(text: str) -> None:
    """Starts rise, none lies in white space before all words, and every line that has words begins one."""
    starts = sentence_starts(text, [])
    assert starts == sorted(set(starts))
    assert all(text[a:b].strip() for a, b in zip(starts, [*starts[1:], len(text)], strict=False))
    lines = [place for place, mark in enumerate("\n" + text) if mark == "\n"]
    filled = [a for a in lines if text[a:].split("\n")[0].strip()]
    assert set(filled) <= set(starts)


@given(st.text(st.sampled_from("aB.!? \t\"'()[1é。؟"), min_size=1, max_size=60).filter(str.strip))
@settings(max_examples=500, deadline=None)
def test_no_line_is_left_whole_that_the_splitter_would_split(line: str) -> None:
    """A line that is not given to the splitter is one in which it would find no end of a sentence."""
    ends, place = [0], 0
    for piece in sentencex.segment(LANGUAGE, line):
        place += len(piece)
        if piece[-1:].isspace() and place < len(line):
            ends.append(place)
    assert sentence_starts(line, []) == ends


def test_a_url_is_many_words() -> None:
    """Pieces of one word belong together; punctuation in a URL begins words of its own."""
    text = "Restart https://river.bank/fox then. Jumps"
    encoding = tiny_tokenizer()(text, add_special_tokens=False, return_offsets_mapping=True)
    starts = np.array(encoding["offset_mapping"])[:, 0]
    levels = boundary_levels(encoding.word_ids(), starts, sentence_starts(text, []))
    words = [place for place, level in zip(starts, levels, strict=True) if level != INSIDE_WORD]
    marks = ["Restart", "https", ":", "//", "/river", "river", ".bank", "bank", "/fox", "fox", "then", ". J"]
    assert words == [text.index(mark) for mark in marks] + [text.index("Jumps")]
    assert [place for place, level in zip(starts, levels, strict=True) if level == SENTENCE] == [0, 37]
    assert (levels == WORD).sum() == len(words) - 2
    assert len(starts) > len(words)
