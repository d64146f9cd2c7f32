"""Lines in many documents are found whatever there is beside them, and taken out without harm."""

import random
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.filter_markdown.boilerplate import boilerplate_of, frequent_lines, without_lines
from tasks.filter_markdown.layout import Cleaned


def found(texts: list[str], share: float) -> dict[str, int]:
    """The boilerplate of texts without code."""
    rows: list[dict[str, Any]] = [{"text": text, "code_spans": []} for text in texts]
    return dict(boilerplate_of(lambda: iter([rows[:3], rows[3:]]), share))


def test_what_more_than_the_share_say_is_boilerplate() -> None:
    """A document counts once, white space around a line does not; at the share itself it stays."""
    texts = [
        f"Own {n}\n  Rate this page. \nRate this page.\n\n" + ("Half" if n < 5 else "") for n in range(10)
    ]
    assert found(texts, 0.5) == {"Rate this page.": 10}
    assert found(texts, 0.49) == {"Rate this page.": 10, "Half": 5}


def test_two_documents_make_no_boilerplate() -> None:
    """However large a share of few documents they are, three must have the line."""
    assert found(["Same", "Same", "Other"], 0.1) == {}
    assert found(["Same", "Same", "Same"], 0.1) == {"Same": 3}


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_no_frequent_line_is_missed_and_memory_is_bounded(share: float) -> None:
    """Where lines are rare at first, or only late; and of millions of others few are remembered."""
    rng, documents, peak = random.Random(1), [], 0
    for number in range(2_000):
        lines = {f"{number}-{n}".encode() for n in range(50)}
        lines |= {name for name, chance in ((b"even", share * 1.3), (b"late", 0)) if rng.random() < chance}
        lines |= {b"late"} if number > 2_000 * (1 - share * 1.2) else set()
        lines |= {b"early"} if number < 2_000 * share * 1.2 else set()
        documents.append(lines)
    exact = Counter(line for lines in documents for line in lines)
    true = {line for line, count in exact.items() if count > share * len(documents)}
    assert true == {b"even", b"late", b"early"}
    likely = frequent_lines(iter(documents), share)
    peak = len(likely)
    assert true <= likely
    assert peak <= 50 * 2 / share + 3, "of what is rare, no more than the last window's lines"


CODE = "if x {\n    run\n}"


def test_code_and_its_places_stay() -> None:
    """A line of code is left alone though prose has it too, and the ranges of code still hold the code."""
    text = f"Title\n\nNote\n\n{CODE}\n\nrun\n\nText\n\n{CODE}\n\nNote"
    spans = [(start, start + len(CODE)) for start in (text.index(CODE), text.rindex(CODE))]
    left = without_lines(Cleaned(text=text, code_spans=spans), {"Note", "run", "}"})
    assert left.text == f"Title\n\n{CODE}\n\nText\n\n{CODE}"
    assert [left.text[start:end] for start, end in left.code_spans] == [CODE, CODE]


PARTS = st.lists(
    st.tuples(st.sampled_from(["a b", "drop", "c", "", "  d", "drop "]), st.booleans()), max_size=12
)


@given(PARTS)
def test_nothing_but_the_lines_is_lost(parts: list[tuple[str, bool]]) -> None:
    """Every other line of prose and every block of code is there, in order."""
    text, spans = "", []
    for line, is_code in parts:
        if is_code and line.strip():
            spans.append((len(text), len(text) + len(line)))
        text += f"{line}\n\n"
    words = [(found.start(), found.end()) for found in re.finditer(r"\w(?:.*\w)?", text)]
    left = without_lines(
        Cleaned(
            text=text,
            code_spans=spans,
            headings=[(*span, 2, "x") for span in words],
            links=[(*span, text[slice(*span)]) for span in words],
        ),
        {"drop"},
    )
    kept, moved = left.text, left.code_spans
    stays = [line for line, is_code in parts if line.strip() and (is_code or line.strip() != "drop")]
    assert [line for line in kept.splitlines() if line.strip()] == stays
    assert [kept[a:b] for a, b in moved] == [text[a:b] for a, b in spans]
    assert [kept[a:b] for a, b, *_ in left.headings] == [line.strip() for line in stays]
    assert [kept[a:b] for a, b, _ in left.links] == [target for *_, target in left.links]
    assert [target for *_, target in left.links] == [line.strip() for line in stays]
    assert "\n\n\n\n\n" not in kept or "\n\n\n\n\n" in text
