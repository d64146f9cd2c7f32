"""Hugo: shortcodes go, what they hold and the titles that they give stay."""

import pytest

from tests.tasks.filter_markdown.dialects.shown import shown

PAGE = """\
+++
title = "A page"
[menu.main]
  weight = 3
+++
{{% alert title="Note" color="warning" %}}
Text in *alert* with [a link]({{< ref "a.md" >}}).
{{% /alert %}}

{{< tabs "uid" >}}
{{< tab "macOS" >}}
Use *brew*.
{{< /tab >}}
{{< /tabs >}}

{{< highlight go "linenos=table" >}}
func main() { {{ x }} }
{{< /highlight >}}

Since {{< new-in 0.112.0 />}} the {{< glossary_tooltip text="Pods" term_id="pod" >}} run.
Write {{</* note "x" */>}} or `{{< note >}}`.

```
{{< note >}} stays
```

{{< figure src="a.png" caption="The caption" >}}
"""
READ = """\
A page

Note

Text in alert with a link.

macOS

Use brew.

<<func main() { {{ x }} }>>

Since the Pods run. Write {{< note "x" >}} or {{< note >}}.

<<{{< note >}} stays>>

The caption"""


def test_a_page_reads_as_its_readers_see_it() -> None:
    """TOML front matter gives the title, shortcodes of code hold code, comments show a shortcode."""
    assert shown(PAGE) == READ


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("| a | {{< icon \"x\" >}} b |\n|---|---|\n| {{< x a=\"|\" >}}c | d |", "a | b\nc | d"),
        ("# Head {{< version >}} {#id}", "Head"),
        ("- item {{< br >}} more", "item more"),
        ("> {{< note >}}\n> Quoted\n> {{< /note >}}", "Quoted"),
        ("Of two {{< x\n  y=\"z\"\n>}} lines.", "Of two lines."),
        ("{{<details \"Clíck\">}}\nIn.\n{{</details>}}", "Clíck\n\nIn."),
        ("{{< unclosed and text", None),
        ("    {{< indented >}} code", "<<{{< indented >}} code>>"),
        ("{{< code-toggle file=hugo >}}\n# a\n[b]\n{{< /code-toggle >}}", "<<# a\n[b]>>"),
        ("{{< output file=\"a.html\" >}}\n<b id=\"x\">\n\n# c\n{{< /output >}}", "<<<b id=\"x\">\n\n# c>>"),
        ("{{% sample filename=\"a.go\" %}}\n# a *b*\n{{% /sample %}}", "<<# a *b*>>"),
        ("{{< panel profile=\"x\" >}}\nA *b*.\n{{< /panel >}}", "A b."),
    ],
)  # fmt: skip
def test_corners(source: str, text: str | None) -> None:
    """In tables, headings, lists, quotes and code, over lines, or left open."""
    assert shown(source) == (source if text is None else text)
