"""What a retrieval model gains from a repository's own pairs, beside BM25 and what it began from.

python -m tests.benchmarks.retrieval pairs --docs FOLDER [--seconds 300] [--seeds 3] [--model minilm]
python -m tests.benchmarks.retrieval order --docs FOLDER [--seconds 300] [--seeds 3]
python -m tests.benchmarks.retrieval speed --docs FOLDER [--rounds 3] [--steps 4]

- `pairs`: nDCG@10 of the held-out queries before and after so many seconds of training, a run a seed.
- `order`: from a BERT from scratch, masked words first and then pairs, beside pairs alone, in equal seconds.
- `speed`: pairs/s beside sentence-transformers' own script with the same batches, in turns.

Documents, pairs and the split are those of the product's stages, made once. No number of steps is known
beforehand: a few are timed first, and as many are made as fit in the seconds.
"""

import argparse
import json
import logging
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.clone_docs.kinds import resolve_source
from tasks.clone_docs.settings import SourceSettings
from tasks.clone_docs.stage import clone_docs
from tasks.embed_model.settings import EmbedSettings
from tasks.embed_model.training import EmbedJob, train
from tasks.evaluate_model.retrieval import Searched
from tasks.filter_markdown.settings import FilterSettings
from tasks.filter_markdown.stage import filter_markdown
from tasks.pair_documents.settings import PairSettings
from tasks.pair_documents.stage import pair_documents
from tasks.records import Corpus, DocsSnapshot, Pairs, Record
from tasks.retrieval.dense import Encoder
from tasks.retrieval.passages import Passages, Queries, read_queries
from tasks.retrieval.probe import Asked, probe, sample
from tasks.retrieval.systems import by_vectors, by_words, hybrid
from tasks.stage.stage import Stage
from tasks.stage.target import Target
from tasks.store.folders import Store
from tests.benchmarks.models import weights
from tests.benchmarks.retrieval.order import scratch_models
from tests.benchmarks.retrieval.report import write_report
from tests.benchmarks.retrieval.stock import stock

TIMED = 3
"""Steps by which the others are counted; the first of them is slower."""
MARGIN = 0.95
"""Share of the seconds that is planned, as no two steps take the same time."""


@dataclass(frozen=True, slots=True)
class Mined:
    """A repository's pairs, and the held-out questions that are asked."""

    pairs: Path
    corpus: Path
    queries: Queries
    passages: Passages
    counts: dict[str, int]


def main() -> None:
    """Run the benchmark that the command line asks for."""
    options = parse()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        mined = mine(options, Path(name))
        print(mined.counts, flush=True)
        results = {"pairs": pairs, "order": order, "speed": speed}[options.kind](options, mined, Path(name))
        write_report(options, mined.counts, results)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=("pairs", "order", "speed"))
    parser.add_argument("--docs", type=Path, required=True, help="a folder of Markdown")
    parser.add_argument("--name", help="what the documents are, in the report and its files' names")
    parser.add_argument("--model", default="minilm", help="minilm (real weights), or a folder")
    parser.add_argument("--seconds", type=float, default=300, help="training time of a run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=EmbedSettings().learning_rate)
    parser.add_argument("--mlm-share", type=float, default=0.5, help="of the seconds, in `order`")
    parser.add_argument("--mlm-learning-rate", type=float, default=5e-4)
    parser.add_argument("--held-out", type=float, default=FilterSettings().eval_fraction)
    parser.add_argument("--max-tokens", type=int, default=100_000, help="of the passages that are searched")
    parser.add_argument("--max-queries", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results")
    return parser.parse_args()


def begun_from(options: argparse.Namespace) -> Path:
    """The folder of the model that learns from pairs."""
    base, _, _ = weights(options.model)
    if base is None:
        sys.exit(f"--model {options.model} has random weights: give minilm, or a folder")
    return Path(base)


def mine(options: argparse.Namespace, folder: Path) -> Mined:
    """The documents' pairs by the product's own stages, and the held-out ones that are asked."""
    store = Store(str(folder / "store"))

    def make(stage: Stage[Any, Any], *args: Any) -> Any:
        kind: type[Record] = stage.record
        uri = store.uri(kind.stage, "bench")
        where = {"store_url": store.url, "work_dir": str(folder / "work"), "uri": uri}
        return stage.make(Target(stage=kind.stage, key="bench", action="run", why="", **where), *args)

    source = SourceSettings(folder=options.docs.resolve())
    snapshot: DocsSnapshot = make(clone_docs, resolve_source(source), source)
    corpus: Corpus = make(filter_markdown, snapshot, FilterSettings(eval_fraction=options.held_out))
    made: Pairs = make(pair_documents, corpus, PairSettings())
    place = Path(store.uri(Pairs.stage, "bench").removeprefix("file://"))
    searched = Searched(place / Pairs.PASSAGES)
    asked = sample(read_queries(place / Pairs.PAIRS), options.max_queries)
    queries, paths = searched.chosen(asked, options.max_tokens, seed=0)
    passages, _ = searched.read(paths)
    counts = {
        "documents": corpus.kept, "training pairs": made.by_split["train"],
        "held-out queries": len(queries), "their documents": len(set(queries.documents)),
        "passages searched": len(passages.texts),
    }  # fmt: skip
    return Mined(
        place, Path(store.uri(Corpus.stage, "bench").removeprefix("file://")), queries, passages, counts
    )


def pairs(options: argparse.Namespace, mined: Mined, folder: Path) -> list[dict[str, Any]]:
    """A retrieval model a seed, each beside BM25 and the base."""
    base = begun_from(options)
    found = []
    for seed in range(options.seeds):
        told = train_for(options.seconds, base, mined.pairs, folder / f"pairs-{seed}", options, seed)
        models = {"base": base, "retrieval": folder / f"pairs-{seed}" / "model"}
        found.append(told | ask(mined, models, [("retrieval", "base"), ("retrieval", "bm25")]))
        print(f"seed {seed}: {json.dumps(found[-1])}", flush=True)
    return found


def order(options: argparse.Namespace, mined: Mined, folder: Path) -> list[dict[str, Any]]:
    """Masked words and then pairs, beside pairs alone, from the same weights and in the same seconds."""
    found = []
    for seed in range(options.seeds):
        begun = scratch_models(options, mined.corpus / Corpus.FILE, folder / f"begun-{seed}", seed)
        told = {"mlm_seconds": begun.seconds}
        models = {"scratch": begun.scratch, "mlm": begun.trained}
        for name, model, seconds in (
            ("pairs alone", begun.scratch, options.seconds),
            ("mlm, then pairs", begun.trained, options.seconds - begun.seconds),
        ):
            place = folder / f"{name}-{seed}"
            trained = train_for(seconds, model, mined.pairs, place, options, seed)
            told |= {f"{name}: {key}": value for key, value in trained.items()}
            models[name] = place / "model"
        found.append(told | ask(mined, models, [("mlm, then pairs", "pairs alone")]))
        print(f"seed {seed}: {json.dumps(found[-1])}", flush=True)
    return found


def speed(options: argparse.Namespace, mined: Mined, folder: Path) -> list[dict[str, Any]]:
    """Both trainings in turns."""
    base = begun_from(options)
    found = []
    for number in range(options.rounds):
        theirs = stock(base, mined.pairs, options.batch, options.steps, folder / f"stock-{number}")
        changes = {"max_steps": options.steps, "batch_size": options.batch, "seed": number}
        ours = run(base, mined.pairs, folder / f"ours-{number}", changes)
        found.append({"sentence-transformers": theirs, "docs-mlm": ours["pairs_per_second"]})
        print(f"round {number}: {json.dumps(found[-1])}", flush=True)
    return found


def ask(mined: Mined, models: dict[str, Path], compared: list[tuple[str, str]]) -> dict[str, Any]:
    """The probe of BM25, these models and the last one's hybrid, as the product makes it."""
    words = by_words("bm25", mined.passages)
    dense = [by_vectors(name, Encoder.load(model), mined.passages) for name, model in models.items()]
    systems = [words, *dense, hybrid("hybrid", words, dense[-1])]
    found: Asked = probe(mined.queries, systems, compared=compared)
    return found.as_json()


def train_for(
    seconds: float, model: Path, pairs: Path, place: Path, options: argparse.Namespace, seed: int
) -> dict[str, Any]:
    """Train on the pairs for so long; a few steps of another run tell how many fit."""
    changes = {"batch_size": options.batch, "learning_rate": options.learning_rate, "seed": seed}
    rate = run(model, pairs, place / "timed", changes | {"max_steps": TIMED})["pairs_per_second"]
    steps = max(1, int(MARGIN * seconds * rate / options.batch))
    told = run(model, pairs, place, changes | {"max_steps": steps})
    spent = told["global_step"] * options.batch / told["pairs_per_second"]
    return {"steps": told["global_step"], "seconds": spent, "pairs_per_second": told["pairs_per_second"]}


def run(model: Path, pairs: Path, place: Path, changes: dict[str, Any]) -> dict[str, Any]:
    """One training by the product's own code, whose model lies in `place`."""
    place.mkdir(parents=True, exist_ok=True)
    settings = EmbedSettings(enabled=True, save_steps=10**6, num_train_epochs=100, **changes)
    job = EmbedJob(
        pairs=pairs, model=model, output=place, checkpoints=place / "checkpoints", settings=settings
    )
    return train(job)


if __name__ == "__main__":
    main()
