"""MDX: modules and tags go, what components hold is Markdown, and the titles in their attributes are read."""

import pytest

from tests.tasks.filter_markdown.dialects.shown import shown

PAGE = """\
---
title: "Getting started"
---
import Tabs from '@theme/Tabs';
import {
  A,
  B,
} from '../x';
export const meta = {
  a: 1,

  b: () => { return 2 }
};

First *para* with {/* hidden
comment */} and {props.name} and <Badge text="New" /> here.

<Tabs groupId="os">
  <TabItem value="linux" label="Linux">

    Install **it**:

    ```bash title="Terminal"
    apt install x
      import y from 'z'
    ```

  </TabItem>
  <TabItem value="mac" label="macOS">
    Use *brew*.
    - item
  </TabItem>
</Tabs>

<Card
  title="Quick start"
  icon={<Icon name="x" />}
  href="/x"
>
  Go **here**.
</Card>

<details>
<summary>More *info*</summary>

Hidden **text**.

</details>

<div className="x">
  Some **bold** text
</div>

```jsx
<Tabs><TabItem label="No"/></Tabs>
{/* stays */}
```
"""
READ = """\
Getting started

First para with and and New here.

Linux

Install it:

Terminal

<<apt install x
  import y from 'z'>>

macOS

Use brew.

item

Quick start

Go here.

More info

Hidden text.

Some bold text

<<<Tabs><TabItem label="No"/></Tabs>
{/* stays */}>>"""


def test_a_page_reads_as_its_readers_see_it() -> None:
    """Modules, comments and tags go; children are Markdown, fences in them fences; titles stay."""
    assert shown(PAGE) == READ


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<Note>Remember *this*</Note>", "Remember this"),
        ("<CodeGroup>\n```python A\nx = 1\n```\n</CodeGroup>", "<<x = 1>>"),
        ("<Unclosed prop=\"x\">\nText after.", "Text after."),
        ("<Foo.Bar x={{a: {b: 1}}}>inner</Foo.Bar>", "inner"),
        ("<Frame caption=\"Thé caption\">\n  <img src=\"x.png\" />\n</Frame>", "Thé caption"),
        ("> <Note>\n>   Quoted **note**\n> </Note>", "Quoted note"),
        ("- <Icon/> item\n- `<Icon/>` and `{/* c */}`", "item\n<Icon/> and {/* c */}"),
        ("| a | <Foo/> |\n|---|---|\n| <Bar label=\"lab\"/> | b |", "a\nlab | b"),
        ("import X from \"y\"\nText below.", "Text below."),
        ("Use `import x from 'y'` here.", "Use import x from 'y' here."),
        ("```\nimport x from 'y'\n```", "<<import x from 'y'>>"),
        ("List<Object>, Map<String, List<Foo>>, <Object> and <T> stay.", None),
        ("import the package from here\n\nexport default settings to a file", None),
        ("export {id} and more\n\nexport class diagrams\n\nexport let me know", None),
        ("export { a };\n\nexport * from 'x'\n\nexport class A {\n}\n\nText", "Text"),
        ("<TABLE><TR><TD>old</TD></TR></TABLE>", "old"),
    ],
)  # fmt: skip
def test_corners(source: str, text: str | None) -> None:
    """On one line, in lists, quotes, tables and code, left open, or only alike; None stays as it is."""
    assert shown(source) == (source if text is None else text)
