"""Cleaning beside pandoc and markdown-it with BeautifulSoup, on the same files: speed, residue, words lost.

    python -m tests.benchmarks.cleaning [FOLDER ...] [--results tests/benchmarks/results]

Needs the extra `bench`. Besides the folders given, small repositories after each builder's manual are
read (`tests/tasks/filter_markdown/dialects/manuals.py`). Speed is by the user time of one core, pandoc's with
one process a file, on a sample of the files. Marks are those of any builder left in the prose, code aside. A
lost word is one that a renderer shows and a text does not hold as often, but for the words of a builder's
directives; in the manuals' pages, whose words are known, one that does not come out at all.
"""

import argparse
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tasks.filter_markdown.cleaning import clean_text
from tasks.filter_markdown.dialects.known import names
from tests.benchmarks.residue import marks_in, pages_in, prose_of
from tests.tasks.filter_markdown.dialects.manuals import pages
from tests.tasks.filter_markdown.words import WORD, missing_words, taken_words

PAGES = 200
SAMPLE = 60
"""Files of which pandoc's speed is taken."""
PANDOC = "commonmark_x-smart"
"""CommonMark with attributes, containers, definition lists and metadata."""


@dataclass(frozen=True)
class Arm:
    """A way to make text of a page: all of it, and its prose without code."""

    name: str
    text: Callable[[str], str]
    prose: Callable[[str], str]
    sample: int | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one arm made of one repository."""

    repository: str
    arm: str
    documents: int
    megabytes_per_second: float
    residue: float
    lost: int
    lost_documents: int


def without_code(html: str) -> str:
    """The text of HTML without code."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "html.parser")
    for code in soup(["pre", "code", "script", "style"]):
        code.decompose()
    return soup.get_text()


def arms() -> list[Arm]:
    """Ours, and those of others."""
    import pypandoc
    from bs4 import BeautifulSoup
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

    def pandoc(page: str, to: str) -> str:
        return str(pypandoc.convert_text(page, to, format=PANDOC, extra_args=["--wrap=none"]))

    def rendered(page: str) -> str:
        return str(parser.render(page))

    return [
        Arm("docs-mlm", lambda page: clean_text(page).text, prose_of),
        Arm(
            "markdown-it",
            lambda page: BeautifulSoup(rendered(page), "html.parser").get_text(),
            lambda page: without_code(rendered(page)),
        ),
        Arm(
            "pandoc",
            lambda page: pandoc(page, "plain"),
            lambda page: without_code(pandoc(page, "html")),
            SAMPLE,
        ),
    ]


def user_time() -> float:
    """Seconds of this process and of those that it waited for."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(kind).ru_utime for kind in kinds)


def measured(repository: str, arm: Arm, documents: list[tuple[str, list[str] | None]]) -> Row:
    """One arm on the pages of one repository, each with its words where they are known."""
    chosen = documents[:: max(1, len(documents) // arm.sample)] if arm.sample else documents
    begun = user_time()
    texts = [arm.text(page) for page, _ in chosen]
    seconds = max(user_time() - begun, 1e-6)
    size = sum(len(page.encode()) for page, _ in chosen)
    lost = [missing(page, text, known) for (page, known), text in zip(chosen, texts, strict=True)]
    left = sum(bool(marks_in(arm.prose(page))) for page, _ in chosen)
    return Row(
        repository=repository,
        arm=arm.name,
        documents=len(chosen),
        megabytes_per_second=round(size / seconds / 1e6, 3),
        residue=round(left / len(chosen), 4),
        lost=sum(one.total() for one in lost),
        lost_documents=sum(bool(one) for one in lost),
    )


def missing(page: str, text: str, known: list[str] | None) -> Counter[str]:
    """The words of a page that a text does not hold."""
    if known is not None:
        return Counter(set(known) - set(WORD.findall(text)))
    return missing_words(page, text) - taken_words(page)


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| repository | by | documents | MB/s | documents with marks | words lost | in documents |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.repository} | {row.arm} | {row.documents:,} | {row.megabytes_per_second:.2f} "
        f"| {row.residue:.1%} | {row.lost:,} | {row.lost_documents:,} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and keep the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--results", type=Path, help="a folder for cleaning.md and cleaning.json")
    arguments = parser.parse_args()
    repositories: dict[str, list[tuple[str, list[str] | None]]] = {
        folder.name: [(page, None) for _, page in pages_in(folder)] for folder in arguments.folders
    }
    for name in names():
        repositories[f"{name}'s manual"] = [(page, prose + code) for page, prose, code in pages(name, PAGES)]
    rows = [measured(name, arm, found) for name, found in repositories.items() for arm in arms()]
    print(table(rows))
    if arguments.results:
        command = (
            f"python -m tests.benchmarks.cleaning {' '.join(folder.name for folder in arguments.folders)}"
        )
        when = f"{time.strftime('%Y-%m-%d')}, `{command.strip()}`, Python {sys.version.split()[0]}"
        head = f"# Cleaning beside others\n\n{when}\n\n"
        (arguments.results / "cleaning.md").write_text(head + table(rows), encoding="utf-8")
        kept = json.dumps([asdict(row) for row in rows], indent=1)
        (arguments.results / "cleaning.json").write_text(kept + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
