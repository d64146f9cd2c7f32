"""Lines are told apart as Markdown tells them: no builder's reader is asked about a line of code."""

import random
from importlib.metadata import distributions

import pytest

from tasks.clone_docs.demo_docs import markdown_of
from tasks.filter_markdown.blocks import DEEPEST, Page
from tasks.filter_markdown.cleaning import clean_raw, clean_text
from tasks.filter_markdown.decoding import decode
from tasks.filter_markdown.templates import Templates

SHAPES = [
    "{}", "# {}", "### {} ###", "{}\n===", "- {}", "1. {}", "> {}", "- a\n\n  {}", "> - {}",
    "```\n{}\n```", "    {}", "~~~ x\n{}\n~~~", "| {} | b |\n|---|---|\n| c | d |",
    "- {}\n\n      {}\n\n  {}", "> ```\n> {}\n> ```\n{}", "1. {}\n   ```\n   {}\n   ```\n   {}",
    "- a\n  - b\n\n    {}\n\n        {}", "```\n{}", "  ~~~\n  {}\n ~~~", "> {}\n{}\n\n    {}",
    "- ```\n  {}\n{}", "\t- {}\n\n\t{}", "10. {}\n\n     {}", "-\n  {}", "- a\n\n\n\n      {}",
    "* * *\n    {}", "# {}\n    {}", "{}\n    {}", "    {}\n\n    {}\n{}", "> - {}\n>\n>       {}\n> {}",
    "```{}```\n{}", "````\n```\n{}\n````", "<!-- {}\n\n    {}\n-->", "<pre>\n\n    {}\n</pre>",
    "| {} |\n|---|\n    {}", "- a\n\n   ```\n   {}\n   ```", "+ {}\n\n+ {}", "1) {}\n\n    {}",
    "- a\nlazy {}\n\n      {}", "```\n> {}\n```", "<div>\n{}\n</div>", "* [ ] {}", "***\n{}", "% {}",
    "{}\n: {}",
]  # fmt: skip


def plain(page: str) -> list[str]:
    """Its lines, tabs as spaces and nothing behind the words."""
    return [line.expandtabs(4).rstrip() for line in page.split("\n")]


def asked_in_code(page: str) -> list[str]:
    """The lines that a reader of blocks is asked about, and that the parser takes for code."""
    asked: list[int] = []

    def reader(one: Page) -> bool:
        asked.append(one._at)
        return False

    assert plain(Page(page, Templates()).rewritten([reader])) == plain(page)
    lines, code, begin = page.split("\n"), set(), 0
    spans = clean_raw(page).code_spans
    for number, line in enumerate(lines):
        words = begin + len(line) - len(line.lstrip(" \t>"))
        opens = line.lstrip(" >\t-").startswith(("```", "~~~"))
        if line.strip() and any(
            start < words < end or (start == words and not opens) for start, end in spans
        ):
            code.add(number)
        begin += len(line) + 1
    return [lines[number] for number in asked if number in code]


def test_generated_pages_are_told_apart_as_markdown_tells_them() -> None:
    """Fences, indented code, lists and quotes in each other, closed or not; what is not read stays."""
    draw = random.Random(5)
    for _ in range(3_000):
        shapes = draw.choices(SHAPES, k=draw.randint(1, 4))
        page = "\n\n".join(
            shape.replace("{}", draw.choice(["alpha", "beta gamma", "`d`"])) for shape in shapes
        )
        assert asked_in_code(page) == [], page


def test_a_paragraph_that_goes_on_is_no_code() -> None:
    """However far its lines are indented; a heading, a rule and a fence's end are no paragraph."""
    asked: list[str] = []

    def reader(page: Page) -> bool:
        asked.append(page.text)
        return False

    source = "a\n    b\n\n    c\n# d\n    e\n***\n    f\n- g\nh\n\n  i\n\n      j\n```\nk\n```\n    l"
    Page(source, Templates()).rewritten([reader])
    assert asked == ["a", "b", "# d", "***", "g", "h", "i", "```"]


def test_real_pages_are_told_apart_as_markdown_tells_them() -> None:
    """So are the descriptions that the installed packages carry."""
    for one in distributions():
        if page := markdown_of(one):
            assert asked_in_code(decode(page.encode())[0]) == [], one.metadata["Name"]


@pytest.mark.parametrize("depth", [DEEPEST, DEEPEST + 5])
def test_blocks_in_each_other_are_read_to_a_depth(depth: int) -> None:
    """What is deeper is code, as Markdown has it; no word is lost."""
    page = "".join(f'{"    " * level}!!! note "title{level}"\n\n' for level in range(depth))
    text = clean_text(page + "    " * depth + "the words").text
    assert "the words" in text
    assert all(f"title{level}" in text for level in range(depth))
    assert ("!!!" in text) is (depth > DEEPEST)
