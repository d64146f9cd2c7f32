"""Sections and passages are a document's text, cut between sentences."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.filter_markdown.cleaning import clean_text
from tasks.filter_markdown.rows import row_of
from tasks.pair_documents.sections import Slugs, alike, passages_of, sections_of, starts_of


def test_slugs_are_githubs() -> None:
    """Small letters, punctuation gone, a hyphen a space, and a number where one stands already."""
    slugs = Slugs()
    headings = ["The Key's Use", "C++ & C#", "Größe 2.0", "a_b - c", "Use", "Use", "Use 1", "use", "Use"]
    assert [slugs.of(heading) for heading in headings] == [
        "the-keys-use", "c--c", "größe-20", "a_b---c", "use", "use-1", "use-1-1", "use-2", "use-3",
    ]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), [("c--c", "c-c"), ("a_1", "a-1"), ("-a", "a"), ("A b", "a-b")])
def test_slugs_of_several_builders_are_alike(one: str, other: str) -> None:
    """Python-Markdown, Kramdown and others differ in hyphens."""
    assert alike(one) == alike(other)


def sections(source: str) -> list[tuple[str, tuple[str, ...], str]]:
    """Heading, names and text of each section of Markdown."""
    row = row_of(clean_text(source))
    return [
        (one.heading, one.names, row["text"][one.start : one.end])
        for one in sections_of(row["text"], row["headings"])
    ]


def test_a_section_is_the_text_below_its_heading() -> None:
    """Up to the next heading of any level; one without text is empty; what is above all has no heading."""
    assert sections("Above.\n\n# One\n\n## Two {#own}\n\nText.\n\n- item\n\n## Two\n\nEnd.\n") == [
        ("", (), "Above."),
        ("One", ("one",), ""),
        ("Two", ("own", "two"), "Text.\n\nitem"),
        ("Two", ("two-1",), "End."),
    ]


BLOCKS = st.lists(
    st.sampled_from(
        ["# H", "## H two", "A sentence. Another one, e.g. this! A third?", "word " * 40, "x" * 250,
         "- a\n- b", "é ß", "```\ncode one\ncode two\n```"]
    ),
    max_size=8,
)  # fmt: skip


@settings(deadline=None)
@given(BLOCKS, st.integers(20, 120))
def test_passages_are_all_of_the_text(blocks: list[str], longest: int) -> None:
    """None is too long, they are in order, and nothing but white space is between them and the headings."""
    row = row_of(clean_text("\n\n".join(blocks)))
    text = row["text"]
    starts = starts_of(text, row["code_spans"])
    covered = [(one["start"], one["end"]) for one in row["headings"]]
    for section in sections_of(text, row["headings"]):
        inside = [start for start in starts if section.start <= start < section.end]
        for start, end in passages_of(text, section, inside, longest):
            assert section.start <= start < end <= section.end
            assert end - start <= longest
            assert text[start:end] == text[start:end].strip()
            covered.append((start, end))
    assert sorted(covered) == sorted(set(covered))
    done = 0
    for start, end in sorted(covered):
        assert start >= done
        assert not text[done:start].strip()
        done = end
    assert not text[done:].strip()


def test_passages_end_with_sentences() -> None:
    """As many sentences as fit are one passage."""
    text = "One is here. Two is here. Three is here. Four is here."
    (section,) = sections_of(text, [])
    found = list(passages_of(text, section, starts_of(text, []), 30))
    assert [text[start:end] for start, end in found] == [
        "One is here. Two is here.", "Three is here. Four is here.",
    ]  # fmt: skip
