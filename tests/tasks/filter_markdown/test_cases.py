"""Inputs that real documentation taught: what must come out of each, what must not, and what is code."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.filter_markdown.cleaning import clean_text
from tasks.filter_markdown.decoding import decode

CASES = Path(__file__).parents[4] / "shared" / "cases"
FILE = CASES / "cases.json"


def cases() -> list[Any]:
    """The cases, or one that is skipped where there are none."""
    if not FILE.is_file():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"no cases at {FILE}"))]
    return [pytest.param(case, id=case["file"]) for case in json.loads(FILE.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("case", cases())
def test_a_case_reads_as_it_must(case: dict[str, Any]) -> None:
    """What must stay stays, what must go is gone, prose is prose and code is code."""
    source, reason = decode((CASES / case["file"]).read_bytes())
    assert reason is None
    cleaned = clean_text(source)
    code = "\n".join(cleaned.text[start:end] for start, end in cleaned.code_spans)
    assert [words for words in case["keep"] if words not in cleaned.text] == [], case["why"]
    assert [mark for mark in case["gone"] if mark in cleaned.text] == [], case["why"]
    assert [words for words in case.get("prose", []) if words in code] == [], case["why"]
    assert [words for words in case.get("code", []) if words not in code] == [], case["why"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        # A rule at the top, and rules in fences.
        ("---\n## Limits\n\nText.\n\n---\nMore.", "Limits\n\nText.\n\nMore."),
        ("---\nTip: read: it all\n\n---\n\nBody.", "Tip: read: it all\n\nBody."),
        ("~~~\n---\na: 1\n---\n~~~\n\nText.", "---\na: 1\n---\n\nText."),
        ("***\n\n- a: b\n\n---\n", "a: b"),
        # Marks of comments in code.
        ("``<!-- a``\n\nText.\n\n```\n-->\n```", "<!-- a\n\nText.\n\n-->"),
        ("| `<!--` | b |\n|---|---|\n| c | `-->` |", "<!-- | b\nc | -->"),
        ("Before <!-- a\n\n`-->`\n\nb --> after", "Before after"),
        # Names of tags in sentences, at the beginning of a line too.
        ("The <script> tag loads, and <svg> draws.", None),
        ("<title> is the name\nof a page.\n\nMore.", "<title> is the name of a page.\n\nMore."),
        ("<style> holds rules.\n\nSaid *once*.", "<style> holds rules.\n\nSaid once."),
        ("<pre> keeps.\n\n<pre>a\n b</pre>\n\nText.", "<pre> keeps.\n\na\n b\n\nText."),
        ("Run cp <source> <target>, or mv <source file> <link>.", None),
        ("List<Object>, Foo<A, B>, Task<T>, Map<Label>.", None),
        ("Enter <your name> or <group-id>, <b>bold</b>.", "Enter <your name> or <group-id>, bold."),
        ("A <template>hidden</template> one <style>a{}</style>.", "A one ."),
        # Braces and colons of other languages.
        ("{:ok, %{a: 1}}, {:error, :enoent}, Foo::bar, a:::b.", None),
        ("<p>{:noreply, state} and <code>[!NOTE]</code></p>", "{:noreply, state} and [!NOTE]"),
        ("GET /users/{id}\n\n## PUT /{id}\n\n## A {b: c}", "GET /users/{id}\n\nPUT /{id}\n\nA {b: c}"),
        # Brackets.
        ("[Fix][core] a[i][j] and [x][] and [y]", None),
        ("[Fix][core] it.\n\n[core]: http://x", "Fix it."),
        # HTML is text.
        ("<ul>\n<li>__a__ *b* [c](d)</li>\n<li># e</li>\n</ul>", "__a__ *b* [c](d)\n# e"),
        ("<table><tr>\n<td>1</td>\n<td></td>\n<td>a<br>b</td>\n</tr></table>", "1 | | a b"),
        ("<table><caption>C</caption><tr><th>A<th>B<tr><td>1<td>2</table>", "C\nA | B\n1 | 2"),
        ("<dl>\n<dt>a<dd>b\n<dt>c</dt><dd>d</dd>\n</dl>", "a\nb\nc\nd"),
        ("<pre>x &lt; &copy_x &amp;&amp; &#65;&nosuch;</pre>", "x < &copy_x && A&nosuch;"),
        ("<p>a=1&para=2 &copy; &lt;b&gt;</p>", "a=1&para=2 © <b>"),
        ("2<sup>64</sup>, 1<sup>st</sup>, x<sub>i</sub>, H<sub>2</sub>O", "2^64, 1st, x_i, H2O"),
        ("<p>10<sup>9</sup> and a<sub>n</sub></p>", "10^9 and a_n"),
        # Definition lists.
        ("```js {1} title=\"a file.js\" x\ny\n```", "a file.js\n\ny"),
        ("Term *a*\n:   One `x`\n:   Two\n\nOther\n: Three", "Term a\nOne x\nTwo\nOther\nThree"),
        ("Ratio\n:3 is no definition", "Ratio :3 is no definition"),
    ],
)  # fmt: skip
def test_brothers_of_the_cases(source: str, text: str | None) -> None:
    """The same kinds in other words; None is a sentence that stays as it is."""
    assert clean_text(source).text == (source if text is None else text)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("---\ntitle: Quotas\n---\n\nText.", "Quotas\n\nText."),
        ("---\ntitle: 'A: b'\n---\n\n## Section\n\nText.", "A: b\n\nSection\n\nText."),
        ("---\ntitle: Quotas\n---\n\n# Quotas\n\nText.", "Quotas\n\nText."),
        ("---\ntitle: Quotas of the service\n---\n\n# Quotas\n\nText.", "Quotas\n\nText."),
        ("---\ntitle: Quotas\n---\n\nText.\n\n# Section\n\nMore.", "Quotas\n\nText.\n\nSection\n\nMore."),
        ("+++\ntitle = 'Quotas'\n+++\nText.\n\n## Quotas", "Text.\n\nQuotas"),
        ('{"title": "Quotas"}\n\nText.', "Quotas\n\nText."),
        ("---\ntitle:\n  - no\n---\nText.", "Text."),
        ("---\ntitle: Only\n---\n", "Only"),
    ],
)
def test_a_title_that_stands_in_front_matter_alone_is_read(source: str, text: str) -> None:
    """It is the first line, unless the page begins with a title of its own, or says it in a heading."""
    assert clean_text(source).text == text


def test_code_stays_where_it_is_below_a_title() -> None:
    """The ranges of the code move with the text."""
    cleaned = clean_text("---\ntitle: Größe\n---\nText.\n\n```\nx é\n```\n")
    assert [cleaned.text[a:b] for a, b in cleaned.code_spans] == ["x é"]
