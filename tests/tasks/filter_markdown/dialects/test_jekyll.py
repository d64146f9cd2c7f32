"""Jekyll and Liquid: tags and values go, what is written raw is meant to be seen."""

import pytest

from tests.tasks.filter_markdown.dialects.shown import shown

PAGE = """\
---
layout: page
title: Install it
---
{% include nav.html title="Seen" %}

* TOC
{:toc}

{% raw %}
Show {{ page.title }} and {% tag %} here.
{% endraw %}

{% comment %}
Hidden words
{% endcomment %}

{% highlight ruby linenos %}
def x
  {{ y }}
end
{% endhighlight %}

Version {{ site.version }} at [a link]({{ site.baseurl }}{% link a.md %}) and `{{ page.x }}`.

{% if x %}
Shown *text*.
{% endif %}

A paragraph.
{: .note .big }

[Away](b){:target="_blank"} with {{ product }}.
{::options parse_block_html="true" /}
"""
READ = """\
Install it

Seen

Show {{ page.title }} and {% tag %} here.

<<def x
  {{ y }}
end>>

Version at a link and {{ page.x }}.

Shown text.

A paragraph.

Away with ."""


def test_a_page_reads_as_its_readers_see_it() -> None:
    """Tags, values and attribute lists go; raw text, code in sentences and highlighted code stay."""
    assert shown(PAGE) == READ


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Use {{ name }} and ${{ github.ref }} here.", None),
        ("The call returns {:ok, pid} or {:error}.", None),
        ("Half of 50% {%} and {% never closed", None),
        ("Code {%raw%}{{ a }}{%endraw%} `{% raw %}`", "Code {{ a }} {% raw %}"),
        ("| {{ site.a }} b |\n|---|\n| {% x %}c |", "b\nc"),
        ("# T {{ page.x }}\n{: .no_toc }", "T"),
        ("```\n{% raw %}\n{{ x }}\n```", "<<{% raw %}\n{{ x }}>>"),
        ("{% note %}\n\n- **one**\n\n{% endnote %}", "one"),
        ("A {% comment %}no{% endcomment %}b {{ 'text' }} {{ '{{' }}", "A b text {{"),
        ("Words of it\n{:toc}", "Words of it"),
    ],
)  # fmt: skip
def test_corners(source: str, text: str | None) -> None:
    """Another language's braces stay, and so does what is in code; None is text that stays as it is."""
    assert shown(source) == (source if text is None else text)
