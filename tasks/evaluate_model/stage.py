"""What the models of a run are good for, before and after, as a stage of its own."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.errors import NetworkError, StoreError, UserError
from tasks.evaluate_model.card import evaluation_card
from tasks.evaluate_model.general_texts import fingerprint
from tasks.evaluate_model.given import Given, NotMeasured
from tasks.evaluate_model.settings import EvaluateSettings
from tasks.models.pinned import PinnedModel, local_files
from tasks.records import (
    Corpus,
    DocsSnapshot,
    EmbeddedModel,
    EvaluatedModel,
    Pairs,
    TokenizedDataset,
    TrainedModel,
)
from tasks.stage.log import stage_logger
from tasks.stage.progress import tell
from tasks.stage.stage import stage
from tasks.stage.target import Target


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a run made, of which the models are measured."""

    corpus: Corpus
    pairs: Pairs
    tokenized: TokenizedDataset
    trained: TrainedModel
    base: PinnedModel
    """What the masked-language model began from."""
    embedded: EmbeddedModel | None = None
    encoder: PinnedModel | None = None
    """What the retrieval model began from; None where that is this run's model."""
    documents: DocsSnapshot | None = None
    """The documents as they were, whose front matter `evaluate.tags` is read from."""

    @property
    def records(self) -> list[Any]:
        """The results that it is made of."""
        found = (self.corpus, self.pairs, self.tokenized, self.trained, self.embedded)
        return [record for record in found if record is not None]


def recipe(base: PinnedModel, encoder: PinnedModel | None, settings: EvaluateSettings) -> dict[str, Any]:
    """What goes into the key besides the parents: the models before, and what is measured.

    Of general texts on this machine that is their content; what the hub has under a name is taken for the
    same.
    """
    return {
        **settings.keyed(),
        "base": base.fingerprint,
        "encoder": None if encoder is None else encoder.fingerprint,
        "general_content": fingerprint(settings),
    }


@stage(
    EvaluatedModel,
    version=1,
    parents=(Corpus, Pairs, TokenizedDataset, TrainedModel, EmbeddedModel),
    recipe=recipe,
    bar="evaluation",
    card=evaluation_card,
)
def evaluate_model(target: Target, made: Measured, settings: EvaluateSettings) -> EvaluatedModel:
    """Measure what the models are good for, before and after, on held-out documents."""
    given, figures = prepare(target, made, settings)
    measure(given, figures)
    with target.building() as folder:
        text = json.dumps(figures, ensure_ascii=False, indent=2, allow_nan=False)
        (folder / EvaluatedModel.FILE).write_text(text + "\n", encoding="utf-8")
        return target.commit(folder, EvaluatedModel, figures, of=made.records)


def prepare(target: Target, made: Measured, settings: EvaluateSettings) -> tuple[Given, dict[str, Any]]:
    """The files that the probes read, and the record's figures, empty but for what is not at hand."""
    not_measured: dict[str, str] = {}
    embedded = made.embedded if made.embedded and not made.embedded.skipped else None
    if made.embedded is not None and embedded is None:
        not_measured["retrieval_model"] = made.embedded.skipped or ""
    encoder = made.encoder if embedded else None
    # As the retrieval probe calls what it asks.
    before = {"base": made.base} if encoder is None else {"mlm_base": made.base, "base": encoder}
    models: dict[str, Path] = {}
    for name, model in before.items():
        if model.location is None:
            not_measured[name] = "the model is from scratch: there is nothing before to compare it with"
            continue
        try:
            models[name] = local_files(model, target.scratch(), weights=True)
        except (NetworkError, UserError) as error:
            not_measured[name] = str(error)
    given = Given(
        trained=target.fetch(made.trained) / TrainedModel.MODEL,
        base=models.get("base" if encoder is None else "mlm_base"),
        retrieval=target.fetch(embedded) / EmbeddedModel.MODEL if embedded else None,
        encoder=None if encoder is None else models.get("base"),
        begun=encoder is not None,
        corpus=target.fetch(made.corpus) / Corpus.FILE,
        pairs=target.fetch(made.pairs),
        documents=raw_documents(target, made.documents) if made.documents and settings.tags else {},
        languages=made.corpus.main_languages(),
        max_seq_length=made.tokenized.max_seq_length,
        settings=settings,
    )
    return given, {"not_measured": not_measured}


def raw_documents(target: Target, snapshot: DocsSnapshot) -> dict[str, Path]:
    """The files of the documents as they were, those of each source of a joint corpus; none if one is gone.

    By what the paths of the documents begin with in the corpus.
    """
    folders = target.fetch_sources(snapshot).items()
    files = {before: folder / DocsSnapshot.FILE for before, folder in folders}
    whole = len(files) == max(1, len(snapshot.parts)) and all(file.is_file() for file in files.values())
    return files if whole else {}


def measure(given: Given, figures: dict[str, Any]) -> None:
    """Make the probes one after another; one that cannot be made is told of, and ends nothing.

    Args:
        figures: the record's, to which theirs are added.
    """
    from tasks.evaluate_model.domain_words import domain_words
    from tasks.evaluate_model.general import general
    from tasks.evaluate_model.retrieval import retrieval
    from tasks.evaluate_model.tags import tags

    def find(given: Given) -> dict[str, Any]:
        found = asdict(retrieval(given))
        figures["not_measured"] |= found.pop("not_measured")
        figures.update(found)
        told: dict[str, Any] = found["retrieval"]
        return told

    probes = {"retrieval": find, "general": general, "domain_words": domain_words, "tags": tags}
    for number, (name, probe) in enumerate(probes.items()):
        tell(f"Measuring {name.replace('_', ' ')}", number / len(probes))
        try:
            told = probe(given)
            parts = told.pop("not_measured", {})
            figures["not_measured"] |= {f"{name}_{part}": reason for part, reason in parts.items()}
            figures[name] = told
        except StoreError:
            raise
        # What torch says of memory, and of a model that it cannot compute, is no reason to lose the rest.
        except (NotMeasured, UserError, NetworkError, RuntimeError, MemoryError) as error:
            figures["not_measured"][name] = str(error) or type(error).__name__
            stage_logger().warning("Not measured: %s: %s", name, error)
