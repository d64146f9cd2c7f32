"""Pairs of query and passage, mined from a corpus in two passes with bounded memory.

The first pass writes every section's passages and notes the queries that a page itself holds. The second
knows all sections: it follows the links. A query is kept with the passages that answer it if it leads to few
sections, all on one side of the held-out split.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.pair_documents.candidates import NOWHERE, REASONS, Candidates
from tasks.pair_documents.deciding import Pairing, decide
from tasks.pair_documents.index import Sections
from tasks.pair_documents.links import Documents, split_target
from tasks.pair_documents.sections import passages_of, sections_of, starts_of
from tasks.pair_documents.settings import KINDS, PairSettings
from tasks.records import Pairs
from tasks.stage.progress import tell

PASSAGES_SCHEMA = pa.schema(
    [
        ("passage", pa.int64()),
        ("path", pa.string()),
        ("split", pa.string()),
        ("heading", pa.string()),
        ("anchor", pa.string()),
        ("text", pa.large_string()),
        ("start", pa.int32()),
        ("end", pa.int32()),
    ]
)
"""`passage` is the row's number; `heading` and `anchor` are its section's, empty above the first heading;
`start` and `end` are the character range in the document's text."""
PAIRS_SCHEMA = pa.schema(
    [
        ("query", pa.string()),
        ("kind", pa.string()),
        ("passages", pa.list_(pa.int64())),
        ("path", pa.string()),
        ("split", pa.string()),
    ]
)
"""`passages` are the numbers of those that answer the query; `path` is the document of the first of them."""
LEADING = 3
"""Passages of a page's first section that answer what asks for the page."""
_ROWS = 256
_VOTERS = 20_000
"""Links from a root that tell where it lies."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCounts:
    """What was found; see `Pairs`."""

    passages: int
    mined: int
    kept: int
    dropped_by_reason: dict[str, int]
    by_kind: dict[str, int]
    by_split: dict[str, int]


class Miner:
    """A corpus' sections, and the pairs that it offers."""

    def __init__(self, corpus: Path, candidates: Candidates, settings: PairSettings) -> None:
        self._corpus, self._settings = corpus, settings
        self.candidates, self.sections = candidates, Sections()
        self.paths: list[str] = []
        self._rooted: list[tuple[str, str]] = []
        """Links from a root, each with the path of its document."""

    def read_pages(self, write: Callable[[Row], None]) -> None:
        """Write all passages, and note titles, descriptions and headings."""
        columns = ["path", "split", "text", "code_spans", "title", "description", "headings", "links"]
        for row in self._rows("Cut", columns, 0.0):
            self.paths.append(row["path"])
            document = self.sections.begin(held_out=row["split"] == "eval")
            self._read_sections(row, write)
            for kind in ("title", "description"):
                if row[kind]:
                    self._ask(kind, row[kind], self.sections.lead(document), LEADING)
            if len(self._rooted) < _VOTERS:
                targets = (split_target(link["target"])[0] for link in row["links"] or ())
                self._rooted += ((row["path"], target) for target in targets if target.startswith("/"))

    def read_links(self) -> None:
        """Note the words of links, and follow these; after `read_pages`."""
        if "anchor" not in self._settings.kinds:
            return
        documents = Documents(self.paths)
        documents.find_roots(self._rooted)
        for row in self._rows("Followed the links of", ["path", "text", "links"], 0.5):
            for link in row["links"] or ():
                words = row["text"][link["start"] : link["end"]]
                self._follow(words, row["path"], link["target"], documents)

    def _read_sections(self, row: Row, write: Callable[[Row], None]) -> None:
        text, longest = row["text"], self._settings.passage_characters
        starts = iter(starts_of(text, row["code_spans"] or []))
        ahead = next(starts, None)
        for section in sections_of(text, row["headings"] or ()):
            inside: list[int] = []
            while ahead is not None and ahead < section.end:
                inside.append(ahead)
                ahead = next(starts, None)
            number, texts = self.sections.passages, []
            for start, end in passages_of(text, section, inside, longest):
                texts.append(text[start:end])
                write(
                    {
                        "passage": number + len(texts) - 1, "path": row["path"], "split": row["split"],
                        "heading": section.heading, "anchor": next(iter(section.names), ""),
                        "text": texts[-1], "start": start, "end": end,
                    }
                )  # fmt: skip
            added = self.sections.add(section.names, texts)
            if section.heading:
                self._ask("heading", section.heading, added, len(texts))

    def _follow(self, words: str, path: str, target: str, documents: Documents) -> None:
        address, name, reason = split_target(target)
        if reason is not None:
            self.candidates.add("anchor", words, NOWHERE, 0, reason)
            return
        document = documents.find(path, address)
        if document is None:
            self.candidates.add("anchor", words, NOWHERE, 0, "no_document")
        elif not name or name.startswith("tab/"):
            self._ask("anchor", words, self.sections.lead(document), LEADING)
        elif (section := self.sections.named(document, name)) == NOWHERE:
            self.candidates.add("anchor", words, NOWHERE, 0, "no_section")
        else:
            self._ask("anchor", words, section, self.sections.count(section))

    def _ask(self, kind: str, query: str, section: int, most: int) -> None:
        if kind in self._settings.kinds:
            count = 0 if section == NOWHERE else min(most, self.sections.count(section))
            self.candidates.add(kind, query, section, count, None if count else "no_text")

    def _rows(self, did: str, columns: Sequence[str], before: float) -> Iterator[Row]:
        done = 0
        with pq.ParquetFile(self._corpus) as stored:
            total = stored.metadata.num_rows
            for batch in stored.iter_batches(_ROWS, columns=list(columns)):
                yield from batch.to_pylist()
                done += len(batch)
                tell(f"{did} {done:,} of {total:,} documents", before + done / total / 2)


def mine(corpus: Path, target: Path, settings: PairSettings) -> PairCounts:
    """Write the passages and the pairs of the file `corpus` into the folder `target`."""
    queries = target / "queries.parquet"
    with Candidates(queries) as candidates:
        miner = Miner(corpus, candidates, settings)
        with rows_into(target / Pairs.PASSAGES, PASSAGES_SCHEMA) as write:
            miner.read_pages(write)
        miner.read_links()
    pairing = decide(candidates, miner.sections, settings.max_targets)
    kinds, splits = write_pairs(target / Pairs.PAIRS, miner, pairing)
    queries.unlink()
    reasons = np.bincount(pairing.reasons, minlength=len(REASONS))
    return PairCounts(
        passages=miner.sections.passages,
        mined=len(candidates),
        kept=len(pairing.chosen),
        dropped_by_reason={
            reason: int(count)
            for reason, count in sorted(zip(REASONS, reasons, strict=True))
            if reason and count
        },
        by_kind={kind: kinds[kind] for kind in KINDS if kinds[kind]},
        by_split={split: splits[split] for split in ("train", "eval") if splits[split]},
    )


def write_pairs(file: Path, miner: Miner, pairing: Pairing) -> tuple[Counter[str], Counter[str]]:
    """Write the pairs in the order in which they were found; how many of each kind, and on each side."""
    kinds, splits = Counter[str](), Counter[str]()
    held, documents = miner.sections.held_out(), miner.sections.documents
    sections, of_kind = miner.candidates.sections, miner.candidates.kinds
    numbered = enumerate(pairing.chosen.tolist())
    ahead = next(numbered, None)
    with rows_into(file, PAIRS_SCHEMA) as write:
        for first, queries in miner.candidates.queries():
            while ahead is not None and ahead[1] < first + len(queries):
                pair, candidate = ahead
                section = sections[candidate]
                kind, split = KINDS[of_kind[candidate]], "eval" if held[section] else "train"
                relevant = pairing.relevant(pair)
                path = miner.paths[documents[section]]
                query = queries[candidate - first]
                write({"query": query, "kind": kind, "passages": relevant, "path": path, "split": split})
                kinds[kind] += 1
                splits[split] += 1
                ahead = next(numbered, None)
    return kinds, splits


@contextmanager
def rows_into(path: Path, schema: pa.Schema) -> Iterator[Callable[[Row], None]]:
    """Within, what writes a row to the Parquet file `path`, some at a time."""
    rows: list[Row] = []
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:

        def write(row: Row) -> None:
            rows.append(row)
            if len(rows) == 8 * _ROWS:
                flush()

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(rows, schema))
            rows.clear()

        yield write
        if rows:
            flush()
