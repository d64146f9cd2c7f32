"""Marks of the builders that nest or are never closed take no longer than their length says."""

import pytest

from tasks.filter_markdown.cleaning import clean_text
from tests.tasks.filter_markdown.hostile import linear_time

LENGTH = 200_000
UNITS = [
    # MkDocs
    "!!! note\n", "!!! note\n    ", '=== "a"\n\n    ', "/// tab | x\n", "///\n", "--8<--\n", "++a", "==a",
    "^^a", ":material-",
    "<div markdown>\n", "::: a.b\n    x:\n", "{++a",
    # Hugo, Jekyll
    "{{<", "{{< a >}}\n", "{{< /a >}}\n", '{{< a "', "{{< highlight >}}\n", "{%", "{% a %}", "{% raw %}",
    "{% comment %}",
    "{{ site.a }}", "{{ a | ", "{{ '", "{: .a}\n", "{#a} ", "{=",
    # MDX
    "import {\n", "export const a = {\n", "export const a = {\n\n", "<A>\n", '<A b="c">\n', "<A b={{{{",
    "</A>\n", "{/*", "<A\n",
    "<A b='", "{a.b}", "<summary>", "<>\n", "<Foo a a a ",
    # MyST
    "```{note}\n", "````{a}\n", "(a)=\n", "{ref}`a`", "{ref}`", "```{code-block} a\n:b: c\n", ":::{note}\n",
    # Docusaurus, DocFX
    ":::tip\n", ":::tip a\n:::\n", ":::a b\n", "{{ $a", "<<< @/a\n", "[](xref:a)", "@A.", "@A.B ",
    ":::column:::\n    ", "[!",
    # What stands for templates and code while a page is read
    "\ufdd0", "\ufdd00\ufdd1", "\ufdd2", "\ufdd4a", "\0", "\0" + "0\0",
    # Front matter
    "a:\n ", "- ",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("around", [("", ""), ("---\n<div>\n", ">}} %} }} */}\n:::\n</A>\n---\n")])
def test_hostile_marks_take_linear_time(unit: str, around: tuple[str, str]) -> None:
    """200,000 characters of any mark, open or closed at last, are cleaned in seconds, not hours."""
    source = around[0] + unit * (LENGTH // len(unit)) + around[1]
    with linear_time():
        clean_text(source)


@pytest.mark.parametrize(
    "line",
    ["{" * LENGTH,
     "{% " + "a" * LENGTH, ":" * LENGTH, "+" * LENGTH, "=" * LENGTH, "!!! " + '"' * LENGTH,
     "<A " + "b=c " * 50_000,
     "- " * (LENGTH // 2) + "!!! note", "> " * (LENGTH // 2) + ":::tip", "`" * LENGTH + "{note}",
     "# a " + "{" * LENGTH + "}",
     "a" + " " * LENGTH + "{.b}", "| " + "{{< a >}} | " * 15_000 + "\n|" + "-|" * 15_000],
)  # fmt: skip
def test_hostile_lines_take_linear_time(line: str) -> None:
    """Nor is one line of so many characters a trap."""
    with linear_time():
        clean_text(line + "\n\n" + line)


def test_what_stands_for_templates_stays_text() -> None:
    """A page that holds the characters itself is read, and what they are about is not lost."""
    assert clean_text("a \ufdd05\ufdd1 b {{< c >}} d").text.split()[0] == "a"
    assert "words" in clean_text("\ufdd00\ufdd1 words \0" + "0\0 {% x %} `{x}`").text
