"""What cleaning leaves of the builders' marks in the prose of any folder, and which words it loses there.

    python -m tests.benchmarks.residue FOLDER [FOLDER ...] [--dialects hugo mkdocs] [--show 3]

Marks are those of `tasks/filter_markdown/residue.py` and of the dialects' own tables, counted in the cleaned
text without its code: neither code blocks nor code in sentences, where a mark is meant to be read. A lost
word is one that a renderer shows and that the cleaned text does not hold, without dialects, so that nothing
is taken away on purpose.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tasks.filter_markdown.cleaning import clean_text
from tasks.filter_markdown.decoding import decode
from tasks.filter_markdown.dialects.known import names
from tasks.filter_markdown.residue import PERHAPS, marks, residue
from tests.tasks.filter_markdown.words import lost_words

ENDINGS = (".md", ".mdx", ".markdown")


@dataclass
class Residue:
    """What was found in some documents."""

    documents: int = 0
    with_marks: int = 0
    by_mark: Counter[str] = field(default_factory=Counter)
    """Documents that have it, by dialect and mark."""
    with_lost_words: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of the documents, those with any mark left."""
        return self.with_marks / max(1, self.documents)


def prose_of(page: str, chosen: Iterable[str] | None = None) -> str:
    """The cleaned text of a page without any of its code."""
    return clean_text(page, keep_code=False, dialects=chosen, code_in_prose=False).text


def first(name: str, prose: str) -> str:
    """The first mark of that name."""
    found = marks()[name].pattern.search(prose)
    return found[0][:60] if found else ""


def pages_in(folder: Path) -> Iterator[tuple[Path, str]]:
    """The documents below a folder that can be read."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in ENDINGS and path.is_file() and not path.is_symlink():
            text, reason = decode(path.read_bytes())
            if reason is None:
                yield path, text


def residue_of(pages: Iterable[tuple[Path, str]], chosen: Iterable[str] | None = None) -> Residue:
    """Marks and lost words of some pages."""
    found = Residue()
    for path, page in pages:
        found.documents += 1
        prose = prose_of(page, chosen)
        if left := residue(prose).keys() - PERHAPS.keys():
            found.with_marks += 1
            found.by_mark.update(left)
            found.examples += [f"{path}: {name}: {first(name, prose)!r}" for name in sorted(left)]
        if lost := lost_words(page, []):
            found.with_lost_words += 1
            found.lost.update(lost)
            found.examples.append(f"{path}: lost: {' '.join(list(lost)[:5])}")
    return found


def report(folder: Path, found: Residue, show: int) -> str:
    """The counts of one folder as lines."""
    lines = [
        f"{folder}: {found.documents:,} documents, {found.with_marks:,} with marks left ({found.share:.2%}), "
        f"{found.with_lost_words:,} with lost words ({found.lost.total():,} words)"
    ]
    lines += [f"  {name}: {number:,} documents" for name, number in found.by_mark.most_common()]
    lines += ["    " + " ".join(example.split()) for example in found.examples[:show]]
    return "\n".join(lines)


def main() -> None:
    """Count, and print what was counted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument(
        "--dialects", nargs="*", choices=names(), help="clean by these alone; all if not given"
    )
    parser.add_argument("--show", type=int, default=0, help="so many examples a folder")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        print(report(folder, residue_of(pages_in(folder), arguments.dialects), arguments.show))


if __name__ == "__main__":
    main()
