"""Headings and links stand in the cleaned text where their words do, whatever was done to the text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.filter_markdown.cleaning import clean_raw, clean_text
from tasks.filter_markdown.layout import Cleaned
from tasks.filter_markdown.rows import cleaned_of, row_of
from tests.tasks.filter_markdown.hostile import linear_time


def links(source: str) -> list[tuple[str, str]]:
    """The words and the target of each link."""
    cleaned = clean_text(source)
    return [(cleaned.text[start:end], target) for start, end, target in cleaned.links]


def headings(cleaned: Cleaned) -> list[tuple[str, int, str]]:
    """The words, the level and the anchor of each heading."""
    return [(cleaned.text[start:end], level, anchor) for start, end, level, anchor in cleaned.headings]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("See [the  guide](a.md).", [("the guide", "a.md")]),
        ("a a [a](b.md) a", [("a", "b.md")]),
        ("[x][ref]\n\n[ref]: /y.md 'Title'", [("x", "/y.md")]),
        ("[`code` and *more*](../a.md#b)", [("code and more", "../a.md#b")]),
        ("[![image](x.png)](y.md)", []),
        ("![image](x.png)", []),
        ("| [a](b.md) | | [c](d.md) |\n|--|--|--|\n", [("a", "b.md"), ("c", "d.md")]),
        ("| a | b | c |\n|--|--|--|\n| | e | [f](g.md) |", [("f", "g.md")]),
        ("> [!TIP]\n> Tip, see [tip](t.md).", [("tip", "t.md")]),
        ("<a href='h.md'>in HTML</a> text", [("in HTML", "h.md")]),
        ("<p><a href='h.md'>in a <b>block</b></a></p>", [("in a block", "h.md")]),
        ("[a](b.md){.button} and [a](c.md){: #x }", [("a", "b.md"), ("a", "c.md")]),
        ('[a]({{< ref "b.md" >}})', [("a", '{{< ref "b.md" >}}')]),
        ("```\n[a](b.md)\n```", []),
    ],
)  # fmt: skip
def test_links_are_found(source: str, found: list[tuple[str, str]]) -> None:
    """In each way to write them; images and code are none."""
    assert links(source) == found


def test_a_link_stands_behind_its_own_words_only() -> None:
    """Of words that stand several times, the range is that of the link."""
    cleaned = clean_text("the key and  the [key](a.md), a key")
    assert cleaned.text == "the key and the key, a key"
    assert cleaned.links == [(16, 19, "a.md")]


WORDS = st.sampled_from(
    ["a", "the key", "`x`", "==a==", "**b c**", "[!NOTE]", "&amp;", "é", "key{.b}", "++Ctrl++", "<br>", "\n",
     "a  a"]
)  # fmt: skip
PIECES = st.lists(st.tuples(WORDS, st.booleans()), min_size=1, max_size=9)


@settings(deadline=None)
@given(
    PIECES, st.sampled_from(["{} ", "- {}\n", "| {} | z |\n|--|--|\n", "## {} {{#id}}\n\n", "<p>{}</p>\n"])
)
def test_every_range_is_the_links_own(pieces: list[tuple[str, bool]], block: str) -> None:
    """Ranges are in order, lie in the text, and hold the link's words as a link alone would leave them."""
    written = " ".join(
        (f"[{words}](n{n}.md)" if linked else words).replace("\n", "\n" if block == "{} " else " ")
        for n, (words, linked) in enumerate(pieces)
    )
    cleaned = clean_text(block.format(written))
    ends = [end for start, end, _ in cleaned.links for end in (start, end)]
    assert ends == sorted(ends)
    assert all(0 <= end <= len(cleaned.text) for end in ends)
    for start, end, target in cleaned.links:
        words, linked = pieces[int(target[1:-3])]
        assert linked
        assert cleaned.text[start:end].strip()
        alone = clean_text(f"z {words} z").text
        assert set(cleaned.text[start:end].split()) <= set(alone.split()) | {words}


def test_headings_have_levels_and_their_own_names() -> None:
    """A name in braces, or of an anchor within the heading; HTML's headings are headings too."""
    cleaned = clean_text(
        "# One\n\n## Two {#two-id}\n\n### <a name='three'></a>Three\n\nFour\n----\n\n<h3 id=five>Five</h3>\n"
    )
    assert headings(cleaned) == [
        ("One", 1, ""), ("Two", 2, "two-id"), ("Three", 3, "three"), ("Four", 2, ""), ("Five", 3, "five"),
    ]  # fmt: skip


def test_a_title_above_the_text_moves_all_ranges() -> None:
    """It is a heading itself, and what stands below it is where it says."""
    cleaned = clean_text(
        "---\ntitle: Über\ndescription: What it is\n---\nA [link](x.md).\n\n## Two\n\n```\nc\n```\n"
    )
    assert (cleaned.title, cleaned.description) == ("Über", "What it is")
    assert headings(cleaned) == [("Über", 1, ""), ("Two", 2, "")]
    assert [cleaned.text[a:b] for a, b, _ in cleaned.links] == ["link"]
    assert [cleaned.text[a:b] for a, b in cleaned.code_spans] == ["c"]


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("---\ntitle: Front\n---\n# Own\n", "Front"),
        ("## Two\n\n# One `code`\n\n# Another\n", "One code"),
        ("<h1 align='center'>HTML</h1>\n", "HTML"),
        ("## Two\n", ""),
        ("---\n# a comment\nauthor: me\n---\n\n```\n# code\n```\n", ""),
    ],
)
def test_the_title_is_the_front_matters_or_the_first_heading(source: str, title: str) -> None:
    """Of the first level, wherever it stands; a page may have none."""
    assert clean_text(source).title == title
    if "<h1" not in source:
        assert clean_raw(source).title == title


@settings(deadline=None)
@given(PIECES)
def test_rows_hold_what_was_cleaned(pieces: list[tuple[str, bool]]) -> None:
    """A document that is read back from its row is the same."""
    cleaned = clean_text("# Title\n\n" + " ".join(f"[{words}](x)" for words, _ in pieces))
    assert cleaned_of(row_of(cleaned)) == cleaned


@pytest.mark.parametrize(
    "source",
    [
        "".join(f"[n{n}](x) " for n in range(60_000)),
        "[==a==](x) " * 60_000,
        "[![i](y)](x) " * 60_000,
        "a a " * 200_000 + "[a](x) " * 20_000 + "[b](x)",
        "".join(f"<a href='x'>{n}</a> " for n in range(40_000)),
        "<p>" + "".join(f"<a href='x'>{n}</a> " for n in range(40_000)),
        "# " + "{#a " * 200_000 + "}",
        "[!INCLUDE [x](y)] " * 30_000 + "word",
    ],
    ids=["links", "changed", "images", "alike", "tags", "block", "names", "nowhere"],
)
def test_many_links_take_a_time_in_proportion(source: str) -> None:
    """A block of hundreds of thousands of characters of links is read as fast as any other."""
    with linear_time():
        clean_text(source)
