"""The plan of a run: every stage's key, whether the store already has its result, and why it must run if not.

The source is pinned to a commit and the model to a revision, all keys are computed from those, and the
manifests are probed from the end backwards: with the last result in the store, nothing before it is
needed, wherever it was made. That is how a restart on a new machine costs seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from tasks.cache_dataset.stage import cache_dataset
from tasks.clone_docs.kinds import resolve_source
from tasks.clone_docs.pinned import PinnedSource
from tasks.clone_docs.stage import clone_docs
from tasks.embed_model.stage import embed_adapted, embed_model
from tasks.evaluate_model.stage import evaluate_model
from tasks.filter_markdown.stage import filter_markdown
from tasks.models.checks import check_window
from tasks.models.encoders import resolve_encoder
from tasks.models.lines import Line
from tasks.models.pinned import PinnedModel, resolve_model
from tasks.pair_documents.stage import pair_documents
from tasks.publish_model.card import Origin
from tasks.publish_model.stage import publish_model
from tasks.records import CachedDataset, EmbeddedModel, Record, TrainedModel, short_commit, short_name
from tasks.run.reasons import why_run
from tasks.settings import Settings
from tasks.stage.stage import Recipe, Stage
from tasks.stage.target import Target
from tasks.store.folders import Store
from tasks.tokenize_corpus.stage import tokenize_corpus
from tasks.train_model.stage import train_model
from tasks.training.resuming import Resumable, step_to_go_on_from

Recipes = dict[Stage[Any, Any], Recipe]
"""What each stage's result is made of besides its parents, in the order of the stages."""
ABSENT = "not in the store yet"
"""Why a part of a joint corpus must be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do, stage by stage."""

    name: str
    """Source and commit, for people."""
    line: Line
    """Whose newest model it is compared with."""
    base: PinnedModel
    encoder: PinnedModel | None = None
    """What a retrieval model begins from, where that is not this run's own model."""
    store_url: str
    targets: dict[str, Target]
    """By the name of the result, in the order of the stages."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Filled while the run goes on: what each stage took that was made here and not reused."""

    def __getitem__(self, stage: Stage[Any, Any]) -> Target:
        """What one stage is to make."""
        return self.targets[stage.record.stage]

    @property
    def run_key(self) -> str:
        """The key of the run's last result."""
        return list(self.targets.values())[-1].key

    def rows(self) -> list[tuple[str, Target]]:
        """Every target, in order, and what a person calls it."""
        return list(self.targets.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePlan(Plan):
    """What a run on one source will do."""

    source: PinnedSource


def make_plan(settings: Settings) -> SourcePlan:
    """Pin source and model, compute every key, and see what the store has. Writes nothing.

    Raises:
        UserError: the source, the model or the store is not there, or windows do not fit the model.
        NetworkError: a host does not answer.
    """
    store = Store(settings.store)
    store.check(write=False)
    source = resolve_source(settings.source)
    base = resolve_model(settings.model)
    check_window(settings.tokenize.max_seq_length, base)
    seconds: dict[str, float] = {}
    line = Line.of([source.name], model_name(settings, base, source.name))
    encoder = pinned_encoder(settings)
    recipes = corpus_recipes(settings, source) | model_recipes(settings, base, encoder)
    return SourcePlan(
        name=f"{short_name(source.name)}@{short_commit(source.commit_sha)}",
        line=line,
        source=source,
        base=base,
        encoder=encoder,
        store_url=store.url,
        targets=plan_targets(store, settings, recipes, seconds, line),
        seconds=seconds,
    )


def model_name(settings: Settings, base: PinnedModel, source: str) -> str:
    """What the model of `source` will be called."""
    return Origin(base=base, publish=settings.publish).model_name(source)


def corpus_recipes(settings: Settings, source: PinnedSource) -> Recipes:
    """The stages of one source."""
    return {
        clone_docs: clone_docs.recipe(source, settings.source),
        filter_markdown: filter_markdown.recipe(settings.filter),
    }


def pinned_encoder(settings: Settings) -> PinnedModel | None:
    """What a retrieval model begins from; None where there is none, or it is this run's own model.

    Raises:
        UserError: it is no model that makes vectors of texts.
        NetworkError: a host does not answer.
    """
    embed = settings.embed
    if not embed.enabled or embed.start != "base":
        return None
    return resolve_encoder(embed.name_or_path, embed.revision, settings.work_dir.expanduser())


def model_recipes(settings: Settings, base: PinnedModel, encoder: PinnedModel | None = None) -> Recipes:
    """The stages from a corpus on, of however many sources it is."""
    embed, evaluate = settings.embed, settings.evaluate
    embedding = embedding_stage(settings)
    return {
        pair_documents: pair_documents.recipe(settings.pairs),
        cache_dataset: cache_dataset.recipe(),
        tokenize_corpus: tokenize_corpus.recipe(base, settings.tokenize),
        train_model: train_model.recipe(base, settings.train, evaluate.bound),
        **({} if embedding is None else {embedding: embedding.recipe(encoder, embed)}),
        **({evaluate_model: evaluate_model.recipe(base, encoder, evaluate)} if evaluate.enabled else {}),
        publish_model: publish_model.recipe(settings.publish),
    }


def embedding_stage(settings: Settings) -> Stage[Any, EmbeddedModel] | None:
    """The stage that trains the retrieval model: of a given model, or of this run's own; None for neither."""
    if not settings.embed.enabled:
        return None
    return embed_model if settings.embed.start == "base" else embed_adapted


def chained_keys(recipes: Recipes) -> dict[type[Record], str]:
    """Each result's key, made of its recipe and of its parents' keys."""
    keys: dict[type[Record], str] = {}
    for stage, recipe in recipes.items():
        keys[stage.record] = stage.key(recipe, keys)
    return keys


def plan_targets(
    store: Store, settings: Settings, recipes: Recipes, seconds: dict[str, float], line: Line | None = None
) -> dict[str, Target]:
    """What every stage is to make: its key, and whether the store has it or why it must run.

    Args:
        line: whose newest model says what changed; a part of a joint corpus has none.
    """
    keys = chained_keys(recipes)
    found = probe(store, recipes, keys, also=[CachedDataset] if settings.publish.export_texts else [])
    missing = {stage.record for stage in recipes if stage.record not in found}
    reasons = why_run(store, recipes, missing, line) if line is not None else dict.fromkeys(missing, ABSENT)
    targets: dict[str, Target] = {}
    for stage, recipe in recipes.items():
        name, key = stage.record.stage, keys[stage.record]
        record, here = found.get(stage.record, (None, False))
        reason = "found in the store" if here else "not needed: a later result is in the store"
        targets[name] = Target(
            stage=name,
            key=key,
            uri=store.uri(name, key),
            action="reuse" if record else "run",
            why=reason if record else reasons[stage.record],
            store_url=store.url,
            work_dir=str(settings.work_dir.expanduser().absolute()),
            settings=recipe,
            # A store that was copied elsewhere still names the old place.
            record=record and record | {"uri": store.uri(name, record["key"])},
            seconds=seconds,
        )
    chosen: dict[type[Record], tuple[Resumable, str]] = {
        TrainedModel: (settings.train, "train.resume"),
        EmbeddedModel: (settings.embed, "embed.resume"),
    }
    for kind, (resumable, setting) in chosen.items():
        if kind in missing:
            targets[kind.stage] = from_checkpoint(targets[kind.stage], resumable, setting)
    return targets


def from_checkpoint(training: Target, chosen: Resumable, setting: str) -> Target:
    """A training that must run, with the step from which it would go on.

    Args:
        setting: what names its checkpoint, as messages call it.

    Raises:
        UserError: `chosen.resume` names no whole checkpoint of it.
    """
    step = step_to_go_on_from(training, chosen, setting)
    if not step:
        return training
    if chosen.resume == "fresh":
        return replace(
            training, why=f"{training.why}; begins anew without its checkpoint of step {step} ({setting})"
        )
    why = f"{training.why}; goes on from step {step} of its checkpoint"
    return replace(training, why=why, first_step=step)


def probe(
    store: Store, recipes: Recipes, keys: dict[type[Record], str], also: Iterable[type[Record]] = ()
) -> dict[type[Record], tuple[dict[str, Any], bool]]:
    """The results that need not be made: their stored record, and whether their own folder is there.

    The last results are looked for first; what they were made of is then known from their manifests.
    Results in `also` are wanted for themselves.
    """
    found: dict[type[Record], tuple[dict[str, Any], bool]] = {}
    parents = {stage.record: [kind for kind in stage.parents if kind in keys] for stage in recipes}
    last = [kind for kind in keys if not any(kind in of for of in parents.values())]

    def seek(kind: type[Record]) -> None:
        manifest = store.manifest(store.uri(kind.stage, keys[kind]))
        if manifest is None:
            found.pop(kind, None)
            for parent in parents[kind]:
                seek(parent)
            return
        found[kind] = (manifest.record, True)
        for other in keys:
            if other.stage in manifest.ancestors:
                found.setdefault(other, (manifest.ancestors[other.stage], False))

    for kind in (*last, *also):
        if kind in keys and not found.get(kind, (None, False))[1]:
            seek(kind)
    return found
