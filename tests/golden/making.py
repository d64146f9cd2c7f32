"""What each stage makes of the golden documents, as rows and numbers of which a digest is taken.

Rows, not bytes of Parquet, so that a new pyarrow changes nothing; of a training the integers exactly (masks,
pairs, the order of an epoch) and the loss on its own, which differs in the last digits between processors.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.cache_dataset.stage import cache_dataset
from tasks.clone_docs.joining import join_snapshots
from tasks.clone_docs.kinds import resolve_source
from tasks.clone_docs.settings import SourceSettings
from tasks.clone_docs.stage import clone_docs
from tasks.embed_model.stage import embed_adapted, embed_model
from tasks.evaluate_model.stage import evaluate_model
from tasks.filter_markdown.joining import join_corpora
from tasks.filter_markdown.rows import CORPUS_SCHEMA
from tasks.filter_markdown.settings import FilterSettings
from tasks.filter_markdown.stage import filter_markdown
from tasks.index_documents.stage import index_documents
from tasks.models.pinned import resolve_model
from tasks.models.settings import ModelSettings, ScratchSettings
from tasks.pair_documents.settings import PairSettings
from tasks.pair_documents.stage import pair_documents
from tasks.publish_model import stage as publishing
from tasks.publish_model.card import Origin
from tasks.publish_model.lineage import Lineage
from tasks.publish_model.settings import PublishSettings
from tasks.publish_model.stage import publish_model
from tasks.records import (
    CachedDataset,
    Corpus,
    DocsSnapshot,
    Pairs,
    PublishedModel,
    Record,
    TokenizedDataset,
    TrainedModel,
)
from tasks.stage.stage import Stage
from tasks.stage.target import Target
from tasks.store.folders import Store
from tasks.tokenize_corpus.settings import TokenizeSettings
from tasks.tokenize_corpus.stage import tokenize_corpus
from tasks.train_model.stage import train_model

DOCS = Path(__file__).parent / "docs"
MORE = Path(__file__).parent / "more"
KEPT = json.loads((Path(__file__).parent / "corpus.json").read_text("utf-8"))
"""A corpus of the golden documents, as an earlier version made it: its record, its rows, and the settings."""
PAGES = json.loads((Path(__file__).parent / "pages.json").read_text("utf-8"))
"""Rows of a corpus with headings and links, as the third version of cleaning made them."""
SCRATCH = ScratchSettings(
    vocab_size=400, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
    max_position_embeddings=64,
)  # fmt: skip
FILTERS = {
    "text": FilterSettings(min_chars=40, max_chars=4_000, eval_fraction=0.3),
    "without code": FilterSettings(min_chars=40, max_chars=4_000, keep_code=False, eval_fraction=0.3),
    "raw": FilterSettings(cleaning="raw", min_chars=40, max_chars=4_000, duplicates="keep", eval_fraction=0),
    "english": FilterSettings(min_chars=40, max_chars=4_000, languages=["en"], eval_fraction=0.3),
    "without boilerplate": FilterSettings(min_chars=40, max_chars=4_000, boilerplate_share=0.3),
    "near": FilterSettings(min_chars=40, max_chars=4_000, duplicates="near", near_duplicate_threshold=0.7),
}
PAIRS = {
    "all": PairSettings(passage_characters=150),
    "some": PairSettings(kinds=["anchor", "title"], max_targets=1),
}
CUTS = {
    "chunk": TokenizeSettings(max_seq_length=32),
    "truncate": TokenizeSettings(mode="truncate", max_seq_length=16),
}


@dataclass(frozen=True)
class Made:
    """What a stage made: what must be equal, and what must be near."""

    exact: Any
    near: dict[str, float] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of what must be equal."""
        text = json.dumps(self.exact, sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def write_documents(folder: Path) -> Path:
    """The golden documents, and those that no repository keeps well: no text, too large, a link."""
    folder.mkdir(parents=True)
    for path in sorted(DOCS.iterdir()):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "windows.md").write_bytes(
        b"\xef\xbb\xbf# Line ends\r\n\r\n" + b"Two spaces are a break.  \r\n" * 9
    )
    (folder / "latin.md").write_bytes("Größe ".encode("latin-1") * 20)
    (folder / "binary.md").write_bytes(b"null \0 byte" * 20)
    (folder / "pointer.md").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (folder / "large.md").write_text("A text of too many characters. " * 200, encoding="utf-8")
    (folder / "huge.md").write_text("A file of too many bytes. " * 2_000, encoding="utf-8")
    (folder / "linked.md").symlink_to("guide.md")
    (folder / "left-out").mkdir()
    (folder / "left-out" / "draft.md").write_text("A draft that a pattern leaves out. " * 9, encoding="utf-8")
    return folder


class Line:
    """The stages, one after the other, in a store of its own; each makes what the next one needs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, Store(str(folder / "store"))
        self.base = resolve_model(ModelSettings(from_scratch=SCRATCH))

    def target(self, kind: type[Record], key: str) -> Target:
        """What a stage is to make."""
        return Target(
            stage=kind.stage, key=key, uri=self.store.uri(kind.stage, key), action="run", why="",
            store_url=self.store.url, work_dir=str(self.folder / "work"),
        )  # fmt: skip

    def make(self, stage: Stage[Any, Any], key: str, *args: Any) -> Any:
        """What a stage makes, under a key of our choice."""
        return stage.make(self.target(stage.record, key), *args)

    @cached_property
    def snapshot(self) -> DocsSnapshot:
        """The documents."""
        chosen = SourceSettings(
            folder=write_documents(self.folder / "golden"), exclude=["left-out/**"], max_file_bytes=20_000
        )
        found: DocsSnapshot = self.make(clone_docs, "a", resolve_source(chosen), chosen)
        return found

    @cached_property
    def more(self) -> DocsSnapshot:
        """The documents, and some that only the filter is for: what the first stage makes stays as it is."""
        folder = write_documents(self.folder / "more")
        for path in sorted(MORE.iterdir()):
            (folder / path.name).write_bytes(path.read_bytes())
        badges = "[![a badge](badge.svg)](badges.md) " * 100 + "[no more](badges.md) {.x}"
        (folder / "badges.md").write_text(f"{badges} and words enough to be kept, as others are.\n")
        chosen = SourceSettings(folder=folder, exclude=["left-out/**"], max_file_bytes=20_000)
        found: DocsSnapshot = self.make(clone_docs, "c", resolve_source(chosen), chosen)
        return found

    @cached_property
    def other(self) -> DocsSnapshot:
        """Another source, one of whose documents is a copy of one of the first's."""
        folder = self.folder / "other"
        folder.mkdir()
        (folder / "same.md").write_bytes((DOCS / "note-c.md").read_bytes())
        (folder / "own.md").write_text(
            "# Own\n\nThis page is in the other source alone.\n" * 3, encoding="utf-8"
        )
        (folder / "more.md").write_text(
            "# More\n\nAnd this page is of the other source.\n" * 3, encoding="utf-8"
        )
        chosen = SourceSettings(folder=folder)
        found: DocsSnapshot = self.make(clone_docs, "b", resolve_source(chosen), chosen)
        return found

    def corpus(self, name: str = "text") -> Corpus:
        """The documents as one of `FILTERS` keeps them."""
        key = f"a-{name.replace(' ', '-')}"
        return self.known(Corpus, key) or self.make(filter_markdown, key, self.more, FILTERS[name])

    def tokenized(self, name: str = "chunk") -> TokenizedDataset:
        """The texts as one of `CUTS` cuts them."""
        made = self.known(TokenizedDataset, name)
        return made or self.make(tokenize_corpus, name, self.dataset, self.base, CUTS[name])

    @cached_property
    def kept_corpus(self) -> Corpus:
        """A corpus that is stored here: a change of cleaning changes no other stage's golden result."""
        folder = self.folder / "kept"
        folder.mkdir()
        pq.write_table(pa.Table.from_pylist(KEPT["rows"], CORPUS_SCHEMA), folder / Corpus.FILE)
        return self.target(Corpus, "kept").commit(folder, Corpus, KEPT["record"], of=[self.snapshot])

    @cached_property
    def pages(self) -> Corpus:
        """Another corpus that is stored here, of pages that lead to each other."""
        folder = self.folder / "pages"
        folder.mkdir()
        pq.write_table(pa.Table.from_pylist(PAGES), folder / Corpus.FILE)
        return self.target(Corpus, "pages").commit(folder, Corpus, KEPT["record"], of=[self.snapshot])

    @cached_property
    def dataset(self) -> CachedDataset:
        """The stored corpus as a dataset."""
        found: CachedDataset = self.make(cache_dataset, "a", self.kept_corpus)
        return found

    def known(self, kind: type[Record], key: str) -> Any:
        """What was made before, or None."""
        record = self.target(kind, key).stored_record()
        return record and kind.from_json(record)

    def files(self, made: Record) -> Path:
        """A folder with what was made."""
        return self.target(type(made), made.key).fetch(made)


def counts(made: Record) -> dict[str, Any]:
    """A record without its place and key, and without what is told beside the result."""
    left_out = {"uri", "key"} | {field.name for field in fields(made) if field.metadata.get("beside")}
    return {name: value for name, value in made.as_json().items() if name not in left_out}


def rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file, bytes as their digests."""
    return [
        {name: hashlib.sha256(v).hexdigest() if isinstance(v, bytes) else v for name, v in row.items()}
        for row in pq.read_table(file).to_pylist()
    ]


def documents(line: Line) -> Made:
    """Every file that matches, or the reason why it was not read."""
    return Made([counts(line.snapshot), rows(line.files(line.snapshot) / DocsSnapshot.FILE)])


def joint_documents(line: Line) -> Made:
    """Which snapshots make the joint one."""
    parts = {
        "one": line.target(DocsSnapshot, line.snapshot.key),
        "two": line.target(DocsSnapshot, line.other.key),
    }
    made = line.make(join_snapshots, "joint", parts)
    return Made([counts(made), json.loads((line.files(made) / DocsSnapshot.PARTS).read_text("utf-8"))])


def corpus_rows(line: Line, made: Corpus) -> list[Any]:
    """A corpus' counts, texts and reasons."""
    folder = line.files(made)
    return [counts(made), rows(folder / Corpus.FILE), rows(folder / Corpus.DROPPED)]


def corpora(line: Line) -> Made:
    """The texts and the reasons, cleaned and compared in each way."""
    return Made({name: corpus_rows(line, line.corpus(name)) for name in FILTERS})


def joint_corpus(line: Line) -> Made:
    """The texts of two sources, without the copies, by each way of telling copies."""
    made = {}
    for name in ("text", "near"):
        own = {
            "one": line.corpus(name),
            "two": line.make(filter_markdown, f"b-{name}", line.other, FILTERS[name]),
        }
        parts = {source: line.target(Corpus, corpus.key) for source, corpus in own.items()}
        snapshot = replace(line.snapshot, source="one+two")
        made[name] = corpus_rows(line, line.make(join_corpora, f"ab-{name}", snapshot, parts, FILTERS[name]))
    return Made(made)


def pairs(line: Line) -> Made:
    """The passages and the pairs, mined in each way."""
    made = {}
    for name, settings in PAIRS.items():
        folder = line.files(mined := line.make(pair_documents, name, line.pages, settings))
        made[name] = [counts(mined), rows(folder / Pairs.PASSAGES), rows(folder / Pairs.PAIRS)]
    return Made(made)


def splits(line: Line) -> Made:
    """The splits, their features and their rows."""
    from datasets import load_from_disk

    stored = load_from_disk(str(line.files(line.dataset) / CachedDataset.FOLDER))
    return Made(
        [counts(line.dataset), {name: [str(part.features), list(part)] for name, part in stored.items()}]
    )


def windows(line: Line) -> Made:
    """The windows' columns and the vocabulary, for each way of cutting."""
    from datasets import load_from_disk
    from transformers import AutoTokenizer

    made = {}
    for name in CUTS:
        folder = line.files(tokenized := line.tokenized(name))
        stored = load_from_disk(str(folder / TokenizedDataset.WINDOWS))
        vocabulary = AutoTokenizer.from_pretrained(folder / TokenizedDataset.TOKENIZER).get_vocab()
        made[name] = [counts(tokenized), vocabulary, {part: list(stored[part]) for part in stored}]
    return Made(made)


def training(line: Line) -> Made:
    """Masks of each kind, both kinds of pairs and the order of an epoch; and the losses of a short run."""
    from transformers import AutoTokenizer

    from tasks.train_model.batches.masking import Masker
    from tasks.train_model.batches.order import PairOrder, WindowOrder
    from tasks.train_model.batches.pairs import Pairs
    from tasks.train_model.reading import read_windows

    folder = line.files(line.tokenized())
    train = read_windows(folder)["train"]
    tokenizer = AutoTokenizer.from_pretrained(folder / TokenizedDataset.TOKENIZER)
    places = np.arange(len(train))
    ids, real = train.padded(places, tokenizer.pad_token_id)
    told = {"begins": train.word_begins(places), "code": train.code_flags(places)}
    made: dict[str, Any] = {}
    for strategy in ("token", "whole_word", "span"):
        for weight in (1.0, 0.5):
            masker = Masker(
                seed=7,
                mask_token_id=tokenizer.mask_token_id,
                special_ids=tuple(sorted(tokenizer.all_special_ids)),
                vocab_size=len(tokenizer),
                strategy=strategy,
                code_weight=weight,
            )
            seen = [masker(ids, real, places, epoch, 0.15, **told) for epoch in (0, 1)]
            made[f"{strategy} {weight}"] = [[one.tolist(), labels.tolist()] for one, labels in seen]
    lengths = train.lengths
    order = WindowOrder(lengths=lengths, seed=7, batch_size=2, accumulation=2, ranks=2)
    made["order"] = [[list(b.windows) for b in order.micro_batches(1, rank)] for rank in (0, 1)]
    for kind in ("nsp", "sop"):
        pairs = Pairs(
            train.documents(), kind, max_seq_length=32, short_share=0.3, seed=7,
            frame=(tokenizer.cls_token_id, tokenizer.sep_token_id),
        )  # fmt: skip
        found = pairs.rows(np.arange(len(pairs)), 1, tokenizer.pad_token_id)
        order = PairOrder(lengths=pairs.table(0).lengths, pairs=pairs, seed=7, batch_size=4)
        made[kind] = [
            *(getattr(found, name).tolist() for name in ("ids", "real", "code", "begins", "types", "labels")),
            [list(batch.windows) for batch in order.micro_batches(0, 0)],
        ]
    return Made(made, short_runs(line, folder))


def short_runs(line: Line, data: Path) -> dict[str, float]:
    """The last training loss and the held-out loss of twelve steps, of each objective."""
    from tasks.train_model.job import TrainJob
    from tasks.train_model.settings import TrainSettings
    from tasks.train_model.training import train

    losses = {}
    for objective in ("mlm", "mlm+nsp", "mlm+sop"):
        folder = line.folder / "runs" / objective
        (folder / "checkpoints").mkdir(parents=True)
        settings = TrainSettings(
            objective=objective, max_steps=12, num_train_epochs=9, per_device_train_batch_size=8, seed=7,
            precision="fp32", learning_rate=3e-3, logging_steps=1, processes=1,
        )  # fmt: skip
        job = TrainJob(
            data=data,
            output=folder / "out",
            checkpoints=folder / "checkpoints",
            settings=settings,
            scratch=SCRATCH,
        )
        job.output.mkdir()
        report = train(job)
        assert report.eval_after is not None
        losses |= {f"{objective} loss": report.loss, f"{objective} held out": report.eval_after["loss"]}
    return losses


def published(line: Line) -> Made:
    """The model card and `summary.json` of one training, at a fixed time."""
    folder = line.folder / "trained"
    (folder / TrainedModel.MODEL).mkdir(parents=True)
    (folder / TrainedModel.MODEL / "config.json").write_text("{}")
    before = {"loss": 6.0, "perplexity": 403.4, "accuracy": 0.0, "masked_tokens": 99.0, "nsp_accuracy": 0.5}
    after = before | {"loss": 5.25, "perplexity": 190.6, "accuracy": 0.25}
    trained = line.target(TrainedModel, "t").commit(
        folder,
        TrainedModel,
        {
            "global_step": 12, "resumed_from_step": 0, "tokens_per_second": 1234.5, "loss": 5.5,
            "device": "cpu", "eval_before": before, "eval_after": after,
            "history": [{"step": 12, "loss": 5.5}], "fill_samples": [],
        },
    )  # fmt: skip
    lineage = Lineage(
        snapshot=replace(line.snapshot, commit_sha="sha256:0", licenses=["MIT"]),
        corpus=line.kept_corpus,
        pairs=line.known(Pairs, "all") or line.make(pair_documents, "all", line.pages, PAIRS["all"]),
        dataset=line.dataset,
        tokenized=line.tokenized(),
        trained=trained,
    )
    origin = Origin(base=line.base, publish=PublishSettings(), chosen=KEPT["chosen"])
    with mock.patch.object(publishing, "datetime") as clock:
        clock.now.return_value = datetime(2026, 1, 1, tzinfo=UTC)
        made = line.make(publish_model, "m", lineage, origin)
    files = line.files(made)
    texts = [(files / name).read_text("utf-8") for name in (PublishedModel.CARD, PublishedModel.SUMMARY)]
    names = sorted(path.name for path in files.iterdir())
    return Made([made.version, names, [text.replace(line.store.url, "STORE") for text in texts]])


def search_index(line: Line) -> Made:
    """The passages with their lines in the raw documents, and the words' scores."""
    folder = line.folder / "raw"
    folder.mkdir()
    raw = {page["path"]: "---\ntitle: x\n---\n\n" + page["text"].replace(". ", ".\n") for page in PAGES}
    columns = {"path": list(raw), "content": [text.encode() for text in raw.values()]}
    pq.write_table(pa.table(columns), folder / DocsSnapshot.FILE)
    told = counts(line.snapshot) | {"source": "golden", "commit_sha": "sha256:0"}
    documents = line.target(DocsSnapshot, "raw").commit(folder, DocsSnapshot, told)
    mined = line.known(Pairs, "all") or line.make(pair_documents, "all", line.pages, PAIRS["all"])
    folder = line.folder / "indexed"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    model = line.target(PublishedModel, "i").commit(
        folder, PublishedModel, {"version": "1"}, of=[documents, mined]
    )
    files = line.files(made := line.make(index_documents, "i", model))
    words = files / "bm25"
    return Made(
        [
            counts(made),
            json.loads((files / "index.json").read_text("utf-8")),
            rows(files / "passages.parquet"),
            json.loads((words / "vocab.index.json").read_text("utf-8")),
            *(np.load(words / f"{name}.csc.index.npy").tolist() for name in ("indices", "indptr")),
            np.load(words / "data.csc.index.npy").round(3).tolist(),
        ]
    )


def embedding(line: Line) -> Made:
    """What is trained on, and the loss of a short run from this page's own model."""
    from tasks.embed_model.rows import read_pairs
    from tasks.embed_model.settings import EmbedSettings
    from tasks.embed_model.training import EmbedJob, train
    from tests.tiny import save_tiny_bert

    mined = line.files(line.known(Pairs, "all") or line.make(pair_documents, "all", line.pages, PAIRS["all"]))
    folder = line.folder / "embedding"
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    settings = EmbedSettings(
        enabled=True, max_steps=3, batch_size=4, mini_batch_size=4, max_seq_length=32, logging_steps=1,
        precision="fp32",
    )  # fmt: skip
    model = save_tiny_bert(folder / "base")
    figures = train(
        EmbedJob(
            pairs=mined, model=model, output=folder / "made", checkpoints=folder / "checkpoints",
            settings=settings,
        )
    )  # fmt: skip
    pairs = read_pairs(mined)
    losses = {f"loss {p['step']}": p["loss"] for p in figures["history"] if "loss" in p}
    return Made([pairs.queries, [pairs.texts[place] for place in pairs.right], pairs.answers], losses)


def evaluation(line: Line) -> Made:
    """Which queries are asked and what words alone find; and how much the domain's words are predicted."""
    from tasks.evaluate_model.retrieval import retrieval
    from tests.tasks.evaluate_model.making import given_with

    found = retrieval(given_with(max_queries=20, max_tokens=2_000)).retrieval or {}
    words = {
        kind: {name: value if value is None else round(value, 6) for name, value in figures.items()}
        for kind, figures in found["bm25"].items()
    }
    return Made([sorted(found), words])


MAKERS: dict[Stage[Any, Any], Callable[[Line], Made]] = {
    clone_docs: documents,
    join_snapshots: joint_documents,
    filter_markdown: corpora,
    join_corpora: joint_corpus,
    pair_documents: pairs,
    cache_dataset: splits,
    tokenize_corpus: windows,
    train_model: training,
    publish_model: published,
    embed_model: embedding,
    embed_adapted: embedding,
    evaluate_model: evaluation,
    index_documents: search_index,
}
