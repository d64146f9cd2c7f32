"""HTML loses its tags and keeps its words."""

import pytest

from tasks.filter_markdown import html_text
from tasks.filter_markdown.cleaning import clean_text
from tasks.filter_markdown.html_text import Piece
from tests.tasks.filter_markdown.hostile import linear_time


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("a <b>b</b> c", "a b c"),
        ("a<br/>b", "a\nb"),
        ("a <!-- hidden --> b", "a b"),
        ('a <a href="x">b</a>', "a b"),
        ('a <a href="x">b', "a b"),
        ("a <resource-group> b", "a <resource-group> b"),
        ("a <YOUR-NAME> b", "a <YOUR-NAME> b"),
        ("a <your name> b", "a <your name> b"),
        ("a <my-widget>b</my-widget>", "a b"),
        ('a <my-widget size="2"> b', "a b"),
        ("a </resource-group> b", "a b"),
        ("a <input disabled> b <p> c", "a b\nc"),
    ],
)
def test_a_tag_in_a_sentence(sentence: str, words: str) -> None:
    """Tags of HTML go, a name to fill in stays: no values, and nothing closes it."""
    assert clean_text(sentence).text == words


def test_a_block_keeps_its_words_in_order() -> None:
    """Lists and tables in HTML keep their words, cells stand apart, comments, scripts and styles go."""
    html = (
        "<div>One<!-- no --><style>b{}</style><script>if (a < b) x()</script>\n"
        "<table><tr><td>Two</td><td>Three</td></tr></table>Four &amp; <five></div>"
    )
    assert html_text.words_of_block(html) == [
        Piece("One"),
        Piece("Two | Three", group=1),
        Piece("Four & <five>"),
    ]


def test_lines_of_a_table_and_of_a_list_stand_together() -> None:
    """Rows, items and terms are lines of one group, those of a list within a list too."""
    html = "<ul><li>a<ol><li>b</ol></li></ul><dl><dt>c<dd>d</dl><table><tr><td>e<tr><td>f</table>"
    found = [(piece.text, piece.group) for piece in html_text.words_of_block(html)]
    assert found == [("a", 1), ("b", 1), ("c", 2), ("d", 2), ("e", 3), ("f", 3)]


def test_preformatted_text_is_code() -> None:
    """What stands in `<pre>` comes apart from the rest, as code, line by line; from within a cell too."""
    assert html_text.words_of_block("<p>A</p><pre>x\n  y</pre>B") == [
        Piece("A"),
        Piece("x\n  y", is_code=True),
        Piece("B"),
    ]
    cell = html_text.words_of_block("<table><tr><td>a</td><td><pre>x</pre></td><td>b</td></tr></table>")
    assert [(piece.text, piece.is_code) for piece in cell] == [("a", False), ("x", True), ("b", False)]


def test_what_hides_is_what_is_closed() -> None:
    """An element without words hides what stands up to its own closing tag; without one it is a name."""
    found = [piece.text for piece in html_text.words_of_block("<p>a <title>no</title> b <svg> c</p><p>d</p>")]
    assert found == ["a b <svg> c", "d"]
    found = [piece.text for piece in html_text.words_of_block('<p>a <svg width="1"> c</p><p>d</p>')]
    assert found == ["a c", "d"]
    found = [
        piece.text for piece in html_text.words_of_block("<p>a <svg>no<p>no</p><td>no</svg> b<svg>no</svg>")
    ]
    assert found == ["a b"]


def test_code_in_every_line_of_a_block_stays() -> None:
    """What looks like a builder's mark in code is kept from the marks' reach, line by line."""
    html = "<ul><li><code>[!NOTE]</code> a</li><li>b <code>{:.x}</code></li></ul>"
    assert clean_text(html).text == "[!NOTE] a\nb {:.x}"


@pytest.mark.parametrize("html", ["<!-- a -->", "<!-- a", "<!-- a --> <!-- b -->\n", "<div></div>"])
def test_html_without_words_leaves_nothing(html: str) -> None:
    """Comments, closed or not, and empty elements leave nothing."""
    assert html_text.words_of_block(html) == []


@pytest.mark.parametrize(
    "unit", ["<", "<a ", '<a b="', "<!", "<!--", "<?", "&", "&#1", "</", "<pre>", "<script>", "<div>"]
)
def test_hostile_html_takes_linear_time(unit: str) -> None:
    """100,000 characters of what is never closed are read in seconds, not hours."""
    with linear_time():
        html_text.words_of_block("<div>" + unit * (100_000 // len(unit)))
