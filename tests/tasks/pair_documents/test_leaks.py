"""Nothing of the held-out side is learnt: planted leaks are found and kept out."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.filter_markdown.corpus import filter_documents
from tasks.filter_markdown.settings import FilterSettings
from tasks.pair_documents.queries import normalised
from tests.tasks.pair_documents.corpora import Mined, corpus, mined

SUBJECTS = [
    "gateway",
    "cluster",
    "policy",
    "lease",
    "vault",
    "queue",
    "token",
    "shard",
    "index",
    "volume",
    "tenant",
    "probe",
]


def page(subject: str) -> str:
    """A document about something."""
    words = " ".join(f"The {subject} has part {n}, which {subject} number {n * 7} needs." for n in range(12))
    moved = f"## Move the {subject} safely\n\nMoved {subject}: {words[:90]}\n"
    return f"# All about the {subject}\n\n{words}\n\n{moved}"


PAGES = {f"{subject}.md": page(subject) for subject in SUBJECTS}
HELD = {"gateway.md", "vault.md"}


def assert_no_leak(found: Mined) -> None:
    """No query of the held-out side is asked in training, nor answered by the words of a held-out passage."""
    held = {passage["text"] for passage in found.passages if passage["split"] == "eval"}
    queries = {normalised(query) for query in found.asked("eval")}
    for query, texts in found.asked("train").items():
        assert normalised(query) not in queries
        assert not held & set(texts)
    for texts in found.asked("eval").values():
        assert set(texts) <= held


def test_a_planted_query_is_kept_out(tmp_path: Path) -> None:
    """A heading and a link of training documents that ask for what a held-out one is asked for."""
    plain = mined(corpus(tmp_path, PAGES, HELD))
    assert "Move the gateway safely" in plain.asked("eval")
    assert not {reason for reason in plain.counts.dropped_by_reason if "held_out" in reason}
    planted = PAGES | {
        "lease.md": PAGES["lease.md"] + "\n## MOVE the gateway, safely\n\nOnly with a lease.\n",
        "queue.md": PAGES["queue.md"] + "\nSee [all about the vault](token.md).\n",
        "shard.md": PAGES["shard.md"]
        + "\nSee [the way of a vault](vault.md) and [the way of a vault](lease.md).\n",
    }
    found = mined(corpus(tmp_path, planted, HELD))
    assert_no_leak(found)
    everywhere = {normalised(query) for query in found.asked()}
    assert "move the gateway safely" not in everywhere
    assert "all about the vault" not in everywhere
    assert "the way of a vault" not in everywhere
    # The heading twice, the vault's title with its own heading, and a link; each side is counted.
    assert found.counts.dropped_by_reason["training_query_of_held_out"] == 3
    assert found.counts.dropped_by_reason["held_out_query_in_training"] == 4
    assert "All about the gateway" in found.asked("eval")


def test_a_query_that_is_dropped_for_itself_leaks_too(tmp_path: Path) -> None:
    """One word as a link's text is no query, but a held-out page of that title may not train another's."""
    documents = {
        "one.md": "# Kubernetes\n\nOf training.\n",
        "two.md": "# Other page\n\nOf the rest.\n",
        "three.md": "# Third page\n\nSee [kubernetes](two.md).\n",
    }
    found = mined(corpus(tmp_path, documents, {"two.md"}))
    assert "Kubernetes" not in found.asked()
    assert found.counts.dropped_by_reason["training_query_of_held_out"] == 2


def filtered(tmp_path: Path, documents: dict[str, str]) -> Path:
    """The corpus that the filter makes of Markdown by path."""
    rows = [
        {"path": path, "blob_sha": path, "size": 1, "content": text.encode(), "reason": None}
        for path, text in documents.items()
    ]
    schema = pa.schema(
        [("path", pa.string()), ("blob_sha", pa.string()), ("size", pa.int64()),
         ("content", pa.large_binary()), ("reason", pa.string())]
    )  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "documents.parquet")
    settings = FilterSettings(min_chars=20, eval_fraction=0.4, duplicates="keep")
    filter_documents(tmp_path / "documents.parquet", tmp_path, settings, workers=1)
    return tmp_path / "corpus.parquet"


def test_planted_near_duplicates_and_moved_copies_stay_on_one_side(tmp_path: Path) -> None:
    """Versions and moved copies of each document go where it goes, and so do their queries and links."""
    planted = dict(PAGES)
    for subject in SUBJECTS:
        planted[f"v2/{subject}.md"] = page(subject).replace("part 3,", "piece 3,")
        planted[f"moved/from/{subject}.md"] = page(subject)
        planted[f"links/{subject}.md"] = (
            f"# Go from {subject}\n\n[read of the {subject}](../moved/from/{subject}.md)"
        )
    found = mined(filtered(tmp_path, planted), max_targets=9)
    assert_no_leak(found)
    sides: dict[str, set[str]] = {}
    for passage in found.passages:
        if not passage["path"].startswith("links/"):
            sides.setdefault(passage["path"].rpartition("/")[2], set()).add(passage["split"])
    assert all(len(side) == 1 for side in sides.values())
    assert set.union(*sides.values()) == {"train", "eval"}
    for query, texts in found.asked().items():
        if query.startswith("All about"):
            assert len(texts) >= 3


def test_a_copy_that_crosses_the_split_is_kept_out(tmp_path: Path) -> None:
    """Of a corpus whose sides share words all the same, no such passage answers a training query."""
    planted = PAGES | {"moved/elsewhere.md": PAGES["gateway.md"].replace("All about", "Everything on")}
    found = mined(corpus(tmp_path, planted, HELD))
    assert_no_leak(found)
    assert "Everything on the gateway" not in found.asked()
    assert found.counts.dropped_by_reason["training_query_of_held_out"] >= 2
