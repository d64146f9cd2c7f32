"""Docusaurus and VitePress: containers go, and their titles stay."""

import pytest

from tests.tasks.filter_markdown.dialects.shown import shown


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (":::tip Use **it**\nBody\n:::", "Use it\n\nBody"),
        (":::note[Tïtle *x*]\n\n- Body\n\n:::", "Tïtle x\n\nBody"),
        (":::note{title=\"Attribute\"}\nX\n:::", "Attribute\n\nX"),
        ("::::info Outer\n\n:::warning Inner\nIn\n:::\n\nOut\n::::\nEnd",
         "Outer\n\nInner\n\nIn\n\nOut\n\nEnd"),
        ("::: code-group\n```js [a.js]\nx\n```\n:::", "<<x>>"),
        (":::my-own Title here\nBody\n:::", "Title here\n\nBody"),
        ("::: details Click {open}\nHidden\n:::", "Click\n\nHidden"),
        ("- item\n\n  :::tip In a list\n  Text\n  :::", "item\n\nIn a list\n\nText"),
        ("> :::note Quoted\n> Text\n> :::", "Quoted\n\nText"),
        (":::tip Never closed\nText", "Never closed\n\nText"),
        ("## Title {#custom-id}\n\n## Escaped \\{#id}\n\n## Comment {/* #id */}",
         "Title\n\nEscaped\n\nComment"),
        ("[[toc]]\n\n<<< @/x.js{2}\n\n{{ $frontmatter.title }} x", "x"),
        ("```\n:::tip no\n:::\n```", "<<:::tip no\n:::>>"),
        ("    :::tip no", "<<:::tip no>>"),
        ("`:::tip` is code", ":::tip is code"),
        ("std::vector, stats:::plot, a ::: b, Foo::Bar", None),
        ("{{$val(A)}} and ${{$B}} are another's", None),
        (":::nobody closes this line", None),
    ],
)  # fmt: skip
def test_containers(source: str, text: str | None) -> None:
    """Nested, in lists and quotes, left open, in code, or only alike; None is text that stays as it is."""
    assert shown(source) == (source if text is None else text)
