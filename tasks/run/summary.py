"""The end of a run: its figures in one object, its artifacts for the Prefect UI, and `latest.json`."""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event

from tasks.cards import block, code, figures_table, rounded, table, text
from tasks.models.newest import latest_uri, move_latest
from tasks.models.published import Version, list_versions
from tasks.publish_model.lineage import Lineage
from tasks.publish_model.stage import retrieval_model
from tasks.records import EvaluatedModel, PublishedModel, TrainedModel, short_commit, short_name
from tasks.retrieval.told import advice, retrieval_table
from tasks.run.plan import Plan
from tasks.run.suggestion import suggest
from tasks.store.folders import Store
from tasks.store.urls import shown
from tasks.train_model.card import guesses, masks_card, training_card

QUESTION = "how do I start"
PLAIN = re.compile(r"[A-Za-z0-9][\w.-]*(?: [\w.-]+){1,8}")
"""Some words that a shell and a terminal leave as they are."""
MODEL_PUBLISHED = "docs-mlm.model.published"
"""The event that users' automations can wait for; its resource carries the model's URI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What `docs-mlm run --json` prints."""

    run_key: str
    name: str
    source: str
    commit_sha: str
    sources: list[dict[str, Any]]
    """`source`, `commit_sha` and `licenses` of the one source, or of each in a joint corpus."""
    store: str
    stages: dict[str, dict[str, Any]]
    """By stage: `reused`, `seconds`, `uri`, and `why`."""
    documents: dict[str, Any]
    pairs: dict[str, Any]
    """`mined`, `kept`, `dropped_by_reason` of the pairs of query and passage."""
    tokens: dict[str, Any]
    training: dict[str, Any]
    eval: dict[str, Any]
    probes: dict[str, Any]
    """`retrieval`, `general`, `domain_words` and `tags`, each None where it was not measured."""
    model: dict[str, str]
    retrieval_model: dict[str, str] | None
    """`uri` and `version`, where there is one."""
    line: str
    """The slug of the line that the model is of, which `--model` takes for its newest."""
    line_name: str
    newest: bool
    """Whether the model is the store's newest, which `docs-mlm predict` takes by itself."""
    fill_samples: list[dict[str, Any]]
    advice: str | None
    """Which model to use for what, and whether the adaptation paid; None where that was not measured."""
    question: str
    """What one may search these documents for."""

    def as_json(self) -> dict[str, Any]:
        """The summary as JSON-ready values."""
        return asdict(self)


def build_summary(
    plan: Plan, lineage: Lineage, model: PublishedModel, versions: Sequence[Version]
) -> RunSummary:
    """The run's figures from its records.

    Args:
        versions: all of the store, which tell the model's line: that of its first run, should the same
            content have been adapted under another name since.
    """
    line, name = next(
        ((known.line, known.line_name) for known in versions if known.version == model.version),
        (plan.line.slug, plan.line.name),
    )
    stages = {
        name: {
            "reused": name not in plan.seconds,
            "seconds": plan.seconds.get(name, 0.0),
            "uri": target.uri,
            "why": target.why
            if target.action == "reuse" or name in plan.seconds
            else "another run has made it",
        }
        for name, target in plan.targets.items()
    }
    figures, evaluated = lineage.figures(), lineage.evaluated
    figures["documents"] |= documents_told(lineage)
    tokens = lineage.tokenized
    figures["tokens"] |= {"pieces_per_word": tokens.pieces_per_word, "unknown_share": tokens.unknown_share}
    return RunSummary(
        run_key=plan.run_key,
        name=plan.name,
        store=plan.store_url,
        stages=stages,
        model={"uri": model.uri, "version": model.version},
        retrieval_model=retrieval_model(lineage, model.uri, model.version),
        line=line,
        line_name=name,
        newest=latest_uri(Store(plan.store_url)) == model.uri,
        fill_samples=lineage.trained.fill_samples,
        advice=advice(evaluated) if evaluated else None,
        question=question_of(evaluated),
        **figures,
    )


def question_of(evaluated: EvaluatedModel | None) -> str:
    """A query of a held-out document that may stand in a command as it is."""
    asked = [sample["query"] for sample in evaluated.samples] if evaluated else []
    return next((query for query in asked if PLAIN.fullmatch(query)), QUESTION)


def documents_told(lineage: Lineage) -> dict[str, Any]:
    """What else is told of the documents: what they are, and what was not read."""
    corpus, snapshot = lineage.corpus.as_json(), lineage.snapshot
    names = ["eval_documents", "languages", "near_groups", "near_documents", "largest_group"]
    names += ["boilerplate_lines", "boilerplate_characters"]
    beside = {"unread": snapshot.unread, "submodules": snapshot.submodules}
    return {name: corpus[name] for name in names} | beside


def result_card(summary: RunSummary, trained: TrainedModel, evaluated: EvaluatedModel | None = None) -> str:
    """What a person wants to know when the run is done: figures, where the model lies, how to load it."""
    documents, tokens, uri = summary.documents, summary.tokens, summary.model["uri"]
    place, first = shown(uri), ""
    if uri.startswith("s3://"):
        copy = code(shlex.join(["aws", "s3", "cp", "--recursive", uri, "model"]))
        place, first = "model", f"Copy it first: rclone copy or {copy}.\n\n"
    reused = [name for name, stage in summary.stages.items() if stage["reused"]]
    return f"""**{text(summary.name)}**, version {code(summary.model["version"])}

{code(uri)}

{figures_table(trained)}
{_found(evaluated)}
| this run | |
|---|---:|
| line | {text(summary.line_name)} |
| documents kept, of found | {documents["kept"]:,} of {documents["found"]:,} |
| tokens in the corpus | {tokens["corpus"]:,} |
| coverage of the training text in one epoch | {tokens["coverage"]:.1%} |
| steps | {trained.global_step:,} |
| speed (tokens/s) | {trained.tokens_per_second:,.0f} |
| stages reused | {", ".join(reused) or "none"} |

{first}{block(_loading(place), "python")}

{_trying(summary)}
"""


def _found(evaluated: EvaluatedModel | None) -> str:
    if evaluated is None:
        return ""
    return f"\n{advice(evaluated)}\n\n{retrieval_table(evaluated)}\n"


def _loading(place: str) -> str:
    quoted = json.dumps(place, ensure_ascii=False)
    return f"""from transformers import AutoModelForMaskedLM, AutoTokenizer

model = AutoModelForMaskedLM.from_pretrained({quoted})
tokenizer = AutoTokenizer.from_pretrained({quoted})"""


def _trying(summary: RunSummary) -> str:
    options = ("--store", summary.store, "--model", summary.model["uri"])
    command, sample = suggest(summary.fill_samples, *options)
    tried = f"or\n\n{block(command, 'sh')}"
    return tried if sample is None else f"{tried}\n\n{guesses(sample)}"


def announce(summary: RunSummary) -> None:
    """Tell Prefect's automations that there is a new model."""
    uri, version = summary.model["uri"], summary.model["version"]
    emit_event(
        MODEL_PUBLISHED,
        resource={
            "prefect.resource.id": f"docs-mlm.model.{summary.run_key}",
            "prefect.resource.name": f"{summary.name} {version}",
            "docs-mlm.model.uri": uri,
            "docs-mlm.model.version": version,
            "docs-mlm.source": summary.source,
        },
        payload={"uri": uri, "version": version, "source": summary.source, "commit_sha": summary.commit_sha,
                 "eval": summary.eval, "store": summary.store},
    )  # fmt: skip


@task
def summarise_run(plan: Plan, lineage: Lineage, model: PublishedModel) -> RunSummary:
    """Gather the run's figures, show them, and let `latest.json` point at the model that it published.

    `versions` and `result` are of the run's line, and stand under the line's own keys too: Prefect shows an
    artifact's history by its key, and two repositories share a server.
    """
    store = Store(plan.store_url)
    move_latest(store, model)
    versions = list_versions(store)
    summary = build_summary(plan, lineage, model, versions)
    trained = lineage.trained
    own = versions_table([version for version in versions if version.line == summary.line])
    listed = f"**{text(summary.line_name)}**\n\n{own}"
    result = result_card(summary, trained, lineage.evaluated)
    for key, card, description in (
        ("training", training_card(trained), "How training went"),
        ("masks", masks_card(trained.fill_samples), "Masked held-out tokens, guessed before and after"),
        (f"versions-{summary.line}", listed, f"The newest published versions of {summary.line_name}"),
        (f"result-{summary.line}", result, f"What runs made of {summary.line_name}"),
        ("versions", listed, "The newest published versions of this line"),
        ("result", result, "What this run made, and how to load it"),
    ):
        create_markdown_artifact(card, key=key, description=description)
    if "models" in plan.seconds:
        announce(summary)
    return summary


def versions_table(versions: Sequence[Version], last: int = 10) -> str:
    """The newest versions of a line side by side, the newest first."""
    head = ("loss before", "after", "accuracy", "steps", "documents", "source", "version")
    rows = [
        (
            rounded(version.loss_before, ".3f"),
            rounded(version.loss_after, ".3f"),
            rounded(version.accuracy, ".1%"),
            f"{version.steps:,}",
            f"{version.documents:,}",
            f"{text(short_name(version.source))}@{short_commit(version.commit_sha)}",
            code(version.version),
        )
        for version in reversed(versions[-last:])
    ]
    return table(head, rows, right=range(5))
