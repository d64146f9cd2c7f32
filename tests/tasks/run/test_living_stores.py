"""A store that an earlier version wrote is reused: the keys of the same settings stay what they were.

`before/keys.json` holds the keys of 32 plans, four kinds of source by four sets of settings, alone and joint;
`before/store.json` the manifests of a small store. Both were written before stages declared their own keys.
What has changed a key on purpose since then is listed here, and nothing else may have.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tasks.clone_docs.pinned import PinnedSource
from tasks.clone_docs.settings import SourceSettings
from tasks.filter_markdown.joining import join_corpora
from tasks.filter_markdown.settings import FilterSettings
from tasks.filter_markdown.stage import filter_markdown
from tasks.models.pinned import PinnedModel, resolve_model
from tasks.publish_model.stage import publish_model
from tasks.records import Pairs, TrainedModel
from tasks.run.joint import Pinned, joint_recipes, make_part, named_parts
from tasks.run.plan import chained_keys, corpus_recipes, make_plan, model_recipes
from tasks.settings import Settings
from tasks.store.folders import Store
from tasks.train_model.stage import train_model

BEFORE = Path(__file__).parent / "before"
KEYS = json.loads((BEFORE / "keys.json").read_text(encoding="utf-8"))
INCLUDE = ["**/*.md"]
"""What `source.include` was if it was not given."""
BATCH = {"per_device_train_batch_size": 16}
"""What `train` had if it was not given."""
VERSIONS = {filter_markdown: 1, join_corpora: 1, train_model: 2, publish_model: 1}
"""Stages that make another result since then, and which version they had."""
NEW = {"dialects", "languages", "boilerplate_share"}
"""Settings of the filter that there were not."""
NOTHING_MEASURED = {"evaluate": {"enabled": False}}
"""There were no probes, and no pairs of query and passage in a model."""
WORDS = ["key", "lease", "chunk", "blob", "queue", "token"]
SMALL: dict[str, Any] = {
    "filter": {"min_chars": 50},
    "model": {
        "from_scratch": {
            "vocab_size": 300, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 16,
        }
    },
    "tokenize": {"max_seq_length": 32},
    "train": BATCH | {"max_steps": 2, "precision": "fp32"},
}  # fmt: skip


def keys_of(plan: dict[str, Any], store: Store) -> dict[str, str]:
    """The keys that one of the plans has today, by the result's name."""
    train = BATCH | plan["settings"].get("train", {})
    settings = Settings.model_validate(plan["settings"] | NOTHING_MEASURED | {"train": train})
    model = settings.model
    base = resolve_model(model) if model.from_scratch else PinnedModel(**KEYS["hub"])
    pinned = {
        name: Pinned(
            settings=SourceSettings(**{"include": INCLUDE} | source["settings"]),
            source=PinnedSource(**source["pinned"]),
        )
        for name, source in plan["sources"].items()
    }
    if plan["joint"]:
        parts = named_parts([make_part(store, settings, name, one) for name, one in pinned.items()])
        own = {name: {"documents": p.documents.key, "corpus": p.corpus.key} for name, p in parts.items()}
        assert own == plan["parts"]
        first = joint_recipes(settings, parts)
    else:
        (one,) = pinned.values()
        first = corpus_recipes(settings.model_copy(update={"source": one.settings}), one.source)
    keys = chained_keys(first | model_recipes(settings, base))
    return {kind.stage: key for kind, key in keys.items() if kind is not Pairs}


@pytest.fixture
def as_before(monkeypatch):
    """The versions and the settings of the earlier version."""
    keyed = FilterSettings.keyed
    monkeypatch.setattr(
        FilterSettings, "keyed", lambda self: {k: v for k, v in keyed(self).items() if k not in NEW}
    )
    for stage, version in VERSIONS.items():
        monkeypatch.setitem(vars(stage), "version", version)
    monkeypatch.setitem(vars(filter_markdown), "recipe", FilterSettings.keyed)
    monkeypatch.setitem(vars(publish_model), "parents", (TrainedModel,))


@pytest.mark.parametrize(
    "plan", KEYS["plans"], ids=lambda plan: f"{'+'.join(plan['sources'])}-{len(str(plan['settings']))}"
)
@pytest.mark.usefixtures("as_before")
def test_every_key_is_what_it_was(plan, tmp_path):
    """All six keys of a plan, and those of a joint one's parts, differ by nothing but what is listed."""
    assert keys_of(plan, Store(str(tmp_path))) == plan["keys"]


@pytest.fixture
def living(tmp_path):
    """The small store of the earlier version, and settings that say where its documents lie."""
    for name, text in json.loads((BEFORE / "store.json").read_text(encoding="utf-8")).items():
        (tmp_path / "store" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "store" / name).write_text(text, encoding="utf-8")
        # A plan looks at the sizes of files, and reads none.
        for file in json.loads(text).get("files", ()):
            place = (tmp_path / "store" / name).parent / file["name"]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
            os.truncate(place, file["size"])
    (tmp_path / "handbook").mkdir()
    for page in range(6):
        words = " ".join(f"The {word} of page {page} is stored." for word in WORDS * 6)
        (tmp_path / "handbook" / f"{page}.md").write_text(f"# Page {page}\n\n{words}\n", encoding="utf-8")
    source = {"folder": tmp_path / "handbook", "include": INCLUDE}
    return SMALL | NOTHING_MEASURED | {"source": source, "store": str(tmp_path / "store")}


def test_the_documents_of_a_living_store_are_reused(living):
    """The same settings find what was fetched; what is made of it by other rules is made again."""
    plan = make_plan(Settings.model_validate(living))
    reused = [name for name, target in plan.targets.items() if target.action == "reuse"]
    assert reused == ["documents"]


@pytest.mark.usefixtures("as_before")
def test_a_living_store_is_reused(living):
    """With the earlier version's rules every result is found, and nothing runs again."""
    plan = make_plan(Settings.model_validate(living))
    assert plan.targets.pop("pairs").action == "run"
    assert {name: target.action for name, target in plan.targets.items()} == dict.fromkeys(
        ("documents", "corpus", "dataset", "tokenized", "training", "models"), "reuse"
    )


@pytest.mark.usefixtures("as_before")
def test_a_changed_setting_runs_from_its_stage_on(living):
    """Of a living store, what comes before the change is reused, and the change is named."""
    train = living["train"] | {"learning_rate": 1e-4}
    plan = make_plan(Settings.model_validate(living | {"train": train}))
    run = [name for name, target in plan.targets.items() if target.action == "run"]
    assert run == ["pairs", "training", "models"]
    assert plan.targets["training"].why == "learning_rate: 0.0003 → 0.0001"
