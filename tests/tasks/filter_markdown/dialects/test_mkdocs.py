"""MkDocs with PyMdown: what is indented below a mark is prose, and marks in code are code."""

import pytest

from tests.tasks.filter_markdown.dialects.shown import shown

PAGE = """\
# Widgets

!!! warning "Mind *the* limit"

    A quota counts widgets.

    - first

        ??? tip "Inside"
            Deep **words**
            go on.

    ```sh
    !!! note "stays"
        as it is
    ```

=== "Linux"

    Use `apt`:

    === "Old"

        An old one.

=== "macOS"

    Use brew.

/// details | Some summary
    type: warning

Body of a block.
///

--8<-- "includes/abbr.md"

--8<--
one.md
two.md
--8<--

{* ../../docs_src/first.py hl[3] *}

::: widgets.api
    options:
      show_source: true

Press ++ctrl+alt+"Del"++, mind ==this== :material-check: and ^^that^^.
[Go](x.md){ .md-button } on. Edit {++in++} {--out--}{>>why<<}.

*[HTML]: Hyper Text

[TOC]
"""
READ = """\
Widgets

Mind the limit

A quota counts widgets.

first

Inside

Deep words go on.

<<!!! note "stays"
    as it is>>

Linux

Use apt:

Old

An old one.

macOS

Use brew.

Some summary

Body of a block.

widgets.api

Press ctrl+alt+Del, mind this and that. Go on. Edit in ."""


def test_a_page_reads_as_its_readers_see_it() -> None:
    """Titles and contents stay, in order; code is what is in fences; files and marks go."""
    assert shown(PAGE) == READ


@pytest.mark.parametrize(
    "change", [lambda page: page.replace("\n", "\r\n"), lambda page: page.replace("    ", "\t")]
)
def test_line_ends_and_tabs_change_nothing(change) -> None:
    """A page of CRLF is decoded to the same; tabs indent as four spaces do."""
    from tasks.filter_markdown.decoding import decode

    source, reason = decode(change(PAGE).encode())
    assert reason is None
    assert shown(source).replace("\t", "    ") == READ


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("> !!! note \"Quoted\"\n>\n>     In a quote.\n\nAfter.", "Quoted\n\nIn a quote.\n\nAfter."),
        ("1. Step\n\n    === \"A\"\n\n        Do *a*.\n\n2. Next", "Step\n\nA\n\nDo a.\n\nNext"),
        ("!!! note inline end \"Ünïcödé\"\n\n    Größe", "Ünïcödé\n\nGröße"),
        ("!!! note\n    Lazy\nends here", "Lazy\n\nends here"),
        ("!!! unclosed \"x\"\nnot inside", "x\n\nnot inside"),
        ("!!! note \"\"\n\n    ```\n    a\n\nAfter the fence that nothing closes.",
         "<<a>>\n\nAfter the fence that nothing closes."),
        ("!!! note \"\"\n\n    ```\n    a\n\n> *b*\n\nc", "<<a>>\n\nb\n\nc"),
        ("> !!! note \"\"\n>     ```\n>     a\n\n*b*", "<<a>>\n\nb"),
        ("| a | b |\n|---|---|\n| ++ctrl+c++ | :octicons-x-16: yes |", "a | b\nctrl+c | yes"),
        ("<div class=\"grid\" markdown>\n\n- *one*\n\n</div>", "one"),
        ("```\n=== \"Tab\"\n    x\n--8<-- \"a\"\n```", '<<=== "Tab"\n    x\n--8<-- "a">>'),
        ("Text\n\n    !!! note \"in code\"\n        x", 'Text\n\n<<!!! note "in code"\n    x>>'),
        ("`!!! note`, `++ctrl++`, `==x==` and `:material-x:`", "!!! note, ++ctrl++, ==x== and :material-x:"),
        ("C++ and c++, x==1 and y==2, a++ + ++b, 3:4:5, wow!!! yes???", None),
        ("H~2~O and x^2^ but `a~1~`", "H2O and x^2 but a~1~"),
        ("~/.a and ~x~~ and a^b and 2^^3", None),
        ("/// comment in a sentence", None),
        ("Hey!!! \"This\" stays", None),
    ],
)  # fmt: skip
def test_corners(source: str, text: str | None) -> None:
    """Within lists, quotes and tables, left open, in code, or only alike; None stays as it is."""
    assert shown(source) == (source if text is None else text)
