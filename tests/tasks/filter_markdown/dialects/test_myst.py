"""MyST: bodies of directives are prose or code, as they are shown, and roles leave their text."""

import pytest

from tests.tasks.filter_markdown.dialects.shown import shown

PAGE = """\
```{note}
First *note*.

~~~python
x = 1
~~~
```

````{tip} Tip title
:class: dropdown

```{code-block} python
:caption: The *caption*
:linenos:

def f(): pass
```

Inner text.
````

:::{admonition} A **title**
:class: warning
Body `code`.
:::

```{code-block} python
---
lineno-start: 1
caption: Cap
---
a = 1
```

```{toctree}
:maxdepth: 2
a
```

```{figure} x.png
:name: fig
What it shows.
```

(label)=
## Heading {#x}

% a comment
See {ref}`the target <label>`, {py:func}`~pkg.mod.func`, {kbd}`Ctrl`, {math}`a_b^2`, {abbr}`HTML (Hyper)`.

```python
{ref}`x` (label)=
% no comment
```

`{ref}` in code.
"""
READ = """\
First note.

<<x = 1>>

Tip title

The caption

<<def f(): pass>>

Inner text.

A title

Body code.

Cap

<<a = 1>>

What it shows.

Heading

See the target, func, Ctrl, a_b^2, HTML.

<<{ref}`x` (label)=
% no comment>>

{ref} in code."""


def test_a_page_reads_as_its_readers_see_it() -> None:
    """Admonitions are prose, code is code, options and targets go, captions and roles' text stay."""
    assert shown(PAGE) == READ


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("- item\n\n  ```{warning}\n  In *item*.\n  ```", "item\n\nIn item."),
        ("> ```{note}\n> Quoted *n*.\n> ```", "Quoted n."),
        ("````{tab-set}\n```{tab-item} Línux\nUse apt.\n```\n````", "Línux\n\nUse apt."),
        ("```{list-table} Title\n* - a\n  - b\n```", "Title\n\na\nb"),
        (":::{unknown} word\nbody *shown*\n:::", "word\n\nbody shown"),
        ("```{math} a + b\n---\nlabel: c\n---\n```", "a + b"),
        ("```{code-block} py\n---\ncaption: |\n    over *two*\n    lines\n---\nx\n```",
         "over two lines\n\n<<x>>"),
        ("A {octicon}`x;1em` and {material-regular}`y` icon", "A and icon"),
        (":::{card} Title\nHead\n^^^\nBody\n+++\nFoot\n:::", "Title\n\nHead\n\nBody\n\nFoot"),
        ("```{unknown} word\nbody *stays*\n```", "word\n\n<<body *stays*>>"),
        ("```{note} never closed\ntext", "never closed\n\ntext"),
        ("| {ref}`a <b>` |\n|---|\n| c |", "a\nc"),
        ("100\n% of users, {braces} and {id}", "100 % of users, {braces} and {id}"),
        ("f(x)= y and {a}", None),
    ],
)  # fmt: skip
def test_corners(source: str, text: str | None) -> None:
    """In lists, quotes and tables, nested, left open, or only alike; None is text that stays as it is."""
    assert shown(source) == (source if text is None else text)
