"""HTML loses its tags and keeps its words."""

import pytest

from tasks.filter_markdown import html_text


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("<b>", ""),
        ("</b>", ""),
        ("<br/>", html_text.LINE),
        ("<!-- hidden -->", ""),
        ('<a href="x">', ""),
        ("<resource-group>", "<resource-group>"),
        ("<YOUR-NAME>", "<YOUR-NAME>"),
        ('<my-widget size="2">', ""),
        ("</resource-group>", ""),
    ],
)
def test_a_tag_in_a_sentence(tag: str, words: str) -> None:
    """Tags of HTML go, a name to fill in stays."""
    assert html_text.words_of_tag(tag) == words


def pieces(html: str) -> list[tuple[str, bool]]:
    """The pieces, each with single white space."""
    return [(" ".join(text.split()), code) for text, code in html_text.words_of_block(html)]


def test_a_block_keeps_its_words_in_order() -> None:
    """Lists and tables in HTML keep their words, cells stand apart, comments, scripts and styles go."""
    html = (
        "<div>One<!-- no --><style>b{}</style><script>if (a < b) x()</script>\n"
        "<table><tr><td>Two</td><td>Three</td></tr></table>Four &amp; <five></div>"
    )
    assert pieces(html) == [("One Two | Three Four &amp; <five>", False)]


def test_preformatted_text_is_code() -> None:
    """What stands in `<pre>` comes apart from the rest, as code, line by line."""
    assert html_text.words_of_block("<p>A</p><pre>x\n  y</pre>B") == [
        ("\n\nA\n\n", False),
        ("x\n  y", True),
        ("B", False),
    ]


@pytest.mark.parametrize("html", ["<!-- a -->", "<!-- a", "<!-- a --> <!-- b -->\n", "<div></div>"])
def test_html_without_words_leaves_nothing(html: str) -> None:
    """Comments, closed or not, and empty elements leave nothing."""
    assert html_text.words_of_block(html) == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit", ["<", "<a ", '<a b="', "<!", "<!--", "<?", "&", "&#1", "</", "<pre>", "<script>", "<div>"]
)
def test_hostile_html_takes_linear_time(unit: str) -> None:
    """100,000 characters of what is never closed are read in seconds, not hours."""
    html_text.words_of_block("<div>" + unit * (100_000 // len(unit)))
