"""Where front matter ends, and which title it holds."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tasks import front_matter
from tasks.front_matter import front_matter_end, front_matter_value, read_front_matter


@pytest.mark.parametrize(
    ("front", "rest"),
    [
        ("---\ntitle: a\n---\n", "# A"),
        ("---\r\ntitle: a\r\n---\r\n", "# A"),
        ("\ufeff---\ntitle: a\n...\n", "# A"),
        ("\n\n<!-- a\n\ncomment -->\n---\ntitle: a\n---\n", "# A"),
        ("---\nexternal help file: x.xml\nModule Name: y\n---\n", ""),
        ("---\n\"a key\": 1\n'b': 2\nключ: 3\n名: 4\n---\n", "Text"),
        ("---\ntitle: >-\n  folded\n  --- text\ntags: [a, b]\ndate: 2024-13-45\n---\n", ""),
        ("---\ntitle: A: B\nlayout: page\n---\n", "YAML refuses it, yet keys are meant"),
        ("---toml\na = 1\n---\n", ""),
        ("+++\ntitle = \"a\"\n[b]\nc = 2020-01-01\n+++\n", "# A"),
        ('{\n  "title": "a"\n}\n', "# A"),
        ("", "---\n# a comment\n---"),
        ("", "---\n---\nText"),
        ("", "---\n- a list\n---\n"),
        ("", "---\n\nA rule, and no key.\n\n---\n"),
        ("", "---\nNote: a sentence.\n\n# Heading\n\nMore of it.\n\n---\n"),
        ("", "---\nNote: a sentence.\n- an item\n---\n"),
        ("", "---\nWarning: b.\n\n```yaml\na: 1\n---\nb: 2\n```\n"),
        ("", "---\ntitle: a\n\nthat never ends"),
        ("", "# A\n---\ntitle: a\n---\n"),
        ("", "+++\nno toml\n+++\n"),
        ("", "{{< shortcode >}}\n"),
        ("", '{"a": 1} is what it returns\n'),
        ("", "---\na: " + "[" * 5_000 + "\n---\n"),
        ("", "---\n" + "- " * 5_000 + "\n---\n"),
        ("", "---\na: b\n" + "c: d\n" * 30_000 + "---\n"),
    ],
)  # fmt: skip
def test_front_matter_ends_where_it_says(front: str, rest: str) -> None:
    """A mapping between marks at the very top is front matter; a rule or a block without end is text."""
    assert front_matter_end(front + rest) == len(front)


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("---\ntitle: A plain one\n---\n", "A plain one"),
        ("---\ntitle: \"Quoted: one\"\nx: 1\n---\n", "Quoted: one"),
        ("---\ntitle: >\n  over\n  lines\n---\n", "over lines"),
        ("---\ntitle: A: B\nlayout: page\n---\n", "A: B"),
        ("---\nparent:\n  title: not this\n---\n", ""),
        ("---\nsubtitle: not this\n---\n", ""),
        ("+++\ntitle = 'Größe'\n+++\n", "Größe"),
        ("title: no front matter", ""),
    ],
)  # fmt: skip
def test_the_title_is_read(source: str, title: str) -> None:
    """In each way to write it."""
    assert read_front_matter(source).title == title
    described = source.replace("title", "description")
    assert read_front_matter(described).description == title
    assert read_front_matter(described).title == ""


def test_title_and_description_are_read_together() -> None:
    """Each from its own line, and a word in another line is none of them."""
    source = "---\nkeywords: description, title\ndescription: 'What: it is'\ntitle: A\n---\nText"
    assert read_front_matter(source) == ("A", "What: it is", len(source) - len("Text"))


VALUES = st.sampled_from(
    ["x y", "'q: r'", '"s"', "http://a/b#c", "1", "a: b", "[c]", "é", "a #b", "- x", "@d", ""]
)
LINES = st.one_of(
    st.builds("{}: {}".format, st.sampled_from(["a", "b.c", "d-e", "f g", "1"]), VALUES),
    st.builds("{}- {}".format, st.sampled_from(["", "  ", "    ", "   "]), VALUES),
    st.sampled_from(["a:", "# c", "", "  ", " x", "\t", "---"]),
)


@given(st.lists(LINES, min_size=1, max_size=6).map("\n".join))
def test_plain_lines_are_what_the_parser_takes_for_a_mapping(block: str) -> None:
    """The pattern that saves the parser's time says yes to nothing that the parser does not."""
    if front_matter._PLAIN_LINES.fullmatch(block):
        value = yaml.safe_load(block)
        assert isinstance(value, dict)
        assert value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("---\ntitle: A\nms.topic: how-to\n---\nText", "how-to"),
        ("---\ntitle: A\nms.topic:\n- first\n- second\n---\nText", "first"),
        ('+++\n"ms.topic" = "concept"\n+++\nText', "concept"),
        ('{"ms.topic": 7}\nText', "7"),
        ("---\ntitle: A\nms.topics: b\n---\n", ""),
        ("---\ntitle: A\nms.topic: {a: b}\n---\n", ""),
        ("---\ntitle: A: B\nms.topic: c\n---\nText", ""),
        ("ms.topic: how-to", ""),
    ],
)
def test_any_field_is_read(source: str, value: str) -> None:
    """A plain value, or the first of a list; nothing of what is not there, or not plain."""
    assert front_matter_value(source, "ms.topic") == value
