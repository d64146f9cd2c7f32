"""Small repositories after the manual of each builder: what it offers, with words that must come out of it.

`P` stands for a word of prose that a reader sees, `C` for one of code; each is another word in a page.
"""

import random
import re
from collections.abc import Iterator

MANUALS: dict[str, list[str]] = {
    "docfx": [
        "> [!NOTE]\n> P *P* [P](x.md).",
        "> [!WARNING]\n> P",
        ":::row:::\n   :::column span=\"2\":::\n      P **P**\n   :::column-end:::\n   :::column:::\n"
        "      P\n   :::column-end:::\n:::row-end:::",
        ":::image type=\"content\" source=\"a.png\" alt-text=\"x\":::",
        "::: zone pivot=\"cli\"\nP\n::: zone-end",
        ":::moniker range=\">=1\"\nP\n:::moniker-end",
        "[!INCLUDE [x](y.md)] P",
        "Select [!UICONTROL P] now.",
        "> [!div class=\"nextstepaction\"]\n> [P](a.md)",
        "# [P](#tab/cli)\n\nP\n\n```azurecli\naz C\n```\n\n---",
        "Call <xref:P.P%2A?displayProperty=nameWithType> P",
        "[P](xref:A.B)",
        "## P P {#p-p}",
        ":::code language=\"json\" source=\"~/a.json\":::",
        "1. P\n\n   > [!TIP]\n   > P\n\n2. P",
        ":::image type=\"complex\" source=\"a.png\" alt-text=\"x\":::\n   P P\n:::image-end:::",
        "[TOC]",
        "| P | P |\n|---|---|\n| [!INCLUDE [x](y)] P | P |",
        "`[!NOTE]` P and `:::row:::`",
    ],
    "docusaurus": [
        ":::tip P *P*\n\nP\n\n:::",
        ":::note[P]\n\nP\n\n:::",
        "::::info P\n\n:::danger\n\nP\n\n:::\n\nP\n\n::::",
        "## P {#p}",
        "import Tabs from '@theme/Tabs';",
        "<Tabs>\n  <TabItem value=\"a\" label=\"P\" default>\n    P\n  </TabItem>\n</Tabs>",
        "```js title=\"P\"\nC\n```",
        "<details>\n  <summary>P</summary>\n\n  P\n\n</details>",
        "{/* nothing */}",
        "::: details P\nP\n:::",
        "::: code-group\n\n```sh [npm]\nC\n```\n\n:::",
        "[[toc]]",
        "<<< @/x.js{1}",
        "P {{ $frontmatter.title }} P",
        "- P\n\n  :::tip P\n\n  P\n\n  :::",
        "<Badge text=\"P\" />",
        "```md\n:::tip C\n:::\n```",
        "::: v-pre\nP\n:::",
    ],
    "hugo": [
        "{{< alert title=\"P\" >}}\nP *P*\n{{< /alert >}}",
        "{{% pageinfo %}}\nP\n{{% /pageinfo %}}",
        "{{< tabs >}}\n{{% tab name=\"P\" %}}\nP\n\n```sh\nC\n```\n{{% /tab %}}\n{{< /tabs >}}",
        "{{< figure src=\"a.png\" caption=\"P P\" >}}",
        "P [P]({{< ref \"a.md#b\" >}}) P.",
        "{{< highlight go >}}\nC\n{{< /highlight >}}",
        "P {{< param \"version\" >}} P",
        "{{< details \"P\" >}}\nP\n{{< /details >}}",
        "| P | {{< icon \"x\" >}} P |\n|---|---|\n| P | P |",
        "- P\n- {{< glossary_tooltip text=\"P\" term_id=\"x\" >}} P",
        "{{< youtube abc >}}",
        "{{% include \"a.md\" %}}",
        "{{< code-toggle file=hugo >}}\nC = 1\n{{< /code-toggle >}}",
        "## P {#p}",
        "{{% steps %}}\n\n### P\n\nP\n\n{{% /steps %}}",
        "`{{< C >}}` P",
    ],
    "jekyll": [
        "{% include alert.html content=\"x\" %}",
        "{% raw %}\nP {{ P }}\n{% endraw %}",
        "P {{ site.version }} P",
        "{% highlight ruby %}\nC\n{% endhighlight %}",
        "[P]({{ site.baseurl }}{% link a.md %}) P",
        "{% if page.x %}\nP\n{% endif %}",
        "P\n{: .note }",
        "* TOC\n{:toc}",
        "{% comment %}\nno\n{% endcomment %}",
        "## P\n{: .no_toc }",
        "- P {% include x %}\n- [P](a){:target=\"_blank\"}",
        "{% assign x = 1 %}",
        "{% for p in site.posts %}\nP\n{% endfor %}",
        "{::nomarkdown}",
        "{% capture x %}P{% endcapture %} P",
        "{{ page.date | date: \"%Y\" }} P",
        "`{{ C }}` P",
        "| {{ site.a }} P |\n|---|\n| P |",
        "> P {% x %}",
    ],
    "mdx": [
        "import {A, B} from '../a'",
        "export const a = {\n  b: 1,\n}",
        "<Note>P *P*</Note>",
        "<Card title=\"P\" icon=\"x\">\n  P\n</Card>",
        "<Steps>\n  <Step title=\"P\">\n    P\n\n    ```sh\n    C\n    ```\n  </Step>\n</Steps>",
        "<CodeGroup>\n```python a.py\nC\n```\n</CodeGroup>",
        "{/* no\nno */}",
        "P {props.a} P",
        "<Frame caption=\"P\">\n  <img src=\"a.png\" />\n</Frame>",
        "<Tabs>\n  <Tab title=\"P\">\n    - P\n      - P\n  </Tab>\n</Tabs>",
        "<ParamField path=\"a\" type=\"string\">\n  P\n</ParamField>",
        "P <Icon icon=\"x\" /> P",
        "<div className=\"a\">\n  P\n</div>",
        "<AccordionGroup>\n  <Accordion title=\"P\">P</Accordion>\n</AccordionGroup>",
        "P List<Object> `<C>` P",
        "| <A/> P | P |\n|---|---|\n| P | P |",
        "<Foo\n  a={{b: [1, {c: 2}]}}\n  title='P'\n/>",
        "<></>",
    ],
    "mkdocs": [
        "!!! note \"P P\"\n\n    P\n\n    ```sh\n    C\n    ```",
        "??? tip \"P\"\n\n    - P\n\n        !!! danger \"P\"\n\n            P",
        "=== \"P\"\n\n    P\n\n=== \"P\"\n\n    ``` py\n    C\n    ```",
        "--8<-- \"a.md\"",
        "P ++ctrl+c++ P",
        "/// details | P\n    type: tip\n\nP\n///",
        "## P { #p .q }",
        "[P](x.md){ .md-button } P",
        ":material-check: P",
        "P ==P== P ^^P^^",
        "{* ../a.py hl[1] *}",
        "::: a.b.c\n    options:\n      x: y",
        "1. P\n\n    !!! note \"P\"\n\n        P\n\n2. P",
        "Term P\n:   P P",
        "![x](a.png){ width=\"300\" } P",
        "*[HTML]: x",
        "[TOC]",
        "<div class=\"grid cards\" markdown>\n\n- P\n\n</div>",
        "!!! note\n    P",
        "> !!! note \"P\"\n>\n>     P",
        "```\n!!! C\n```",
        "P[^1]\n\n[^1]: P",
        "P { .annotate }\n\n1.  P",
    ],
    "myst": [
        "```{note}\nP *P*\n```",
        ":::{admonition} P\n:class: tip\nP\n:::",
        "```{code-block} python\n:linenos:\n\nC\n```",
        "(a-b)=\n## P",
        "P {ref}`P P <a-b>` P",
        "{doc}`P <a>` and {py:func}`P`",
        "% no\n\nP",
        "```{toctree}\n:maxdepth: 1\na\n```",
        "````{tab-set}\n```{tab-item} P\nP\n```\n````",
        "```{figure} a.png\n:alt: x\n\nP P\n```",
        "+++ {\"a\": 1}",
        "```{math}\nC\n```",
        "P {math}`C` P",
        "```{dropdown} P\nP\n```",
        "- P\n\n  ```{warning}\n  P\n  ```",
        "```{versionadded} P\n```",
        "Term P\n: P",
        "{#p}\n## P",
        ":::{note}\n::::{tip}\nP\n::::\n:::",
        "`{ref}` P",
        "```{list-table} P\n:header-rows: 1\n\n* - P\n  - P\n```",
        "```{image} a.png\n:alt: x\n```",
        "> ```{note}\n> P\n> ```",
    ],
}  # fmt: skip
"""By builder, what its manual offers."""
FRONT = {
    "hugo": '+++\ntitle = "P"\nweight = 3\n+++\n',
    "mdx": '---\ntitle: "P: P"\ndescription: x\n---\n',
    "jekyll": "---\nlayout: page\ntitle: P\n---\n",
    "docfx": "---\ntitle: x\nms.date: 01/02/2024\n---\n# P\n",
}


def pages(builder: str, count: int, seed: int = 3) -> Iterator[tuple[str, list[str], list[str]]]:
    """Pages of a builder, each with the words of its prose and those of its code."""
    draw = random.Random(f"{builder} {seed}")
    for _ in range(count):
        blocks = draw.sample(MANUALS[builder], draw.randint(3, 9))
        yield filled("\n\n".join([FRONT.get(builder, "# P\n"), *blocks, "P P."]), draw)


def filled(page: str, draw: random.Random) -> tuple[str, list[str], list[str]]:
    """A page with words in their places, and these."""
    words: dict[str, list[str]] = {"P": [], "C": []}

    def word(place: re.Match[str]) -> str:
        kind = place[0]
        new = f"{'prose' if kind == 'P' else 'code'}{draw.randrange(10**6)}"
        words[kind].append(new)
        return new

    return re.sub(r"\b[PC]\b", word, page), words["P"], words["C"]
