"""Where a run's results lie and what they are called; and that each stage gets its own settings."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tasks.run.plan import make_plan
from tasks.run.summary import RunSummary
from tasks.settings import Settings
from tasks.store.folders import Store
from tests.tasks.settings.watching import same
from tests.tasks.settings.whole_run import whole_run
from tests.tiny import SENTENCES

STAGES = ["documents", "corpus", "pairs", "dataset", "tokenized", "training", "models"]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of twelve documents, three of less than 250 characters."""
    folder = tmp_path_factory.mktemp("documents") / "handbook"
    folder.mkdir()
    for number in range(12):
        # Three short ones, and nine with a word or two that the others do not have.
        rare = f"Kernel{number * 7919} and module{number * 104729}. " if number >= 3 else ""
        words = " ".join(SENTENCES).split() * (1 + number // 3)
        random.Random(number).shuffle(words)  # or all were near copies of one another
        (folder / f"{number:02}.md").write_text(f"# Page {number}\n\n{rare}{' '.join(words)}")
    return folder


def chosen(documents: Path, folder: Path, **changes: dict[str, Any]) -> Settings:
    """A run of seconds, with store and work folder in `folder`."""
    base: dict[str, Any] = {
        "source": {"folder": documents},
        "filter": {"min_chars": 250},
        "tokenize": {"max_seq_length": 24},
        "model": {
            "from_scratch": {
                "vocab_size": 210,
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 16,
                "max_position_embeddings": 32,
            }
        },
        "train": {"max_steps": 2, "precision": "fp32", "seed": 7},
        "evaluate": {"enabled": False},
        "store": str(folder / "store"),
        "work_dir": folder / "work",
    }
    return Settings.model_validate(base | changes)


@pytest.fixture(scope="module")
def first(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, RunSummary]:
    """A run, and its settings."""
    settings = chosen(documents, tmp_path_factory.mktemp("first"))
    return settings, whole_run(settings)


def published(settings: Settings, summary: RunSummary) -> Path:
    """The folder of the published model."""
    return Path(settings.store) / "models" / summary.run_key


def files_in(folder: Path) -> set[Path]:
    """Every file below a folder."""
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.setting("store", "work_dir")
def test_results_are_in_the_store_and_scratch_is_in_the_work_folder(
    documents: Path, tmp_path: Path, first: tuple[Settings, RunSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of two runs has its own store and its own scratch, and both make the same model."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    settings, before = chosen(documents, tmp_path), first[1]
    known = files_in(Path(first[0].store).parent)
    summary = whole_run(settings)
    assert {path.name for path in (tmp_path / "store").iterdir()} >= set(STAGES)
    assert files_in(tmp_path / "work") != set()
    assert {path.name for path in tmp_path.iterdir()} == {"store", "work"}
    assert files_in(Path(first[0].store).parent) == known
    assert not any(stage["reused"] for stage in summary.stages.values())
    assert summary.run_key == before.run_key
    folders = [published(settings, summary), published(*first)]
    assert same(*(load_file(folder / "model.safetensors") for folder in folders))


def test_the_tokenizer_is_published_for_earlier_versions_too(first: tuple[Settings, RunSummary]) -> None:
    """It says nothing of how this run loaded it, which transformers 4 would take for arguments."""
    config = json.loads((published(*first) / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "BertTokenizer"
    assert not {"is_local", "local_files_only", "backend"}.intersection(config)


@pytest.mark.setting("work_dir", "publish.export_texts")
def test_texts_are_exported_beside_a_run_that_makes_nothing_new(
    first: tuple[Settings, RunSummary], tmp_path: Path
) -> None:
    """The kept texts are in the file that is named, fetched through the new work folder; no stage runs."""
    settings, before = first
    changed = settings.model_copy(
        update={
            "work_dir": tmp_path / "work",
            "publish": settings.publish.model_copy(update={"export_texts": tmp_path / "texts.json"}),
        }
    )
    summary = whole_run(changed)
    assert [name for name, stage in summary.stages.items() if stage["reused"]] == STAGES
    assert summary.run_key == before.run_key
    texts = json.loads((tmp_path / "texts.json").read_text())
    assert len(texts) == before.documents["kept"]
    assert all(text.startswith("Page ") for text in texts)
    assert {path.relative_to(tmp_path).parts[:3] for path in files_in(tmp_path / "work")} == {
        ("work", "fetched", "dataset")
    }


@pytest.mark.setting("publish.model_name")
@pytest.mark.parametrize(("name", "said"), [(None, "bert-handbook"), ("My-BERT.v2", "My-BERT.v2")])
def test_the_model_is_called_as_asked(
    first: tuple[Settings, RunSummary], tmp_path: Path, name: str | None, said: str
) -> None:
    """Card and summary have the name that was given, or one of the source's; only publishing runs again."""
    settings, before = first
    changed = settings.model_copy(
        update={"publish": settings.publish.model_copy(update={"model_name": name})}
    )
    summary = whole_run(changed)
    folder = published(changed, summary)
    assert json.loads((folder / "summary.json").read_text())["name"] == said
    assert f"\n# {said}\n" in (folder / "README.md").read_text()
    made = [stage for stage, told in summary.stages.items() if not told["reused"]]
    assert made == ([] if name is None else ["models"])
    assert (summary.run_key == before.run_key) is (name is None)


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        ({"source": {"include": ["0*.md"]}}, STAGES),
        ({"filter": {"min_chars": 500}}, STAGES[1:]),
        ({"tokenize": {"max_seq_length": 16}}, STAGES[4:]),
        ({"train": {"max_steps": 1}}, STAGES[5:]),
        ({"publish": {"model_name": "other"}}, STAGES[6:]),
    ],
)
def test_a_stages_settings_are_in_its_key(
    documents: Path,
    tmp_path: Path,
    first: tuple[Settings, RunSummary],
    change: dict[str, Any],
    stages: list[str],
) -> None:
    """A change of one stage's settings makes other keys from that stage on, and leaves those before it."""
    settings, before = first
    values = settings.model_dump(mode="json")
    ((stage, changed),) = change.items()
    values[stage] |= changed
    plan = make_plan(Settings.model_validate(values))
    assert [
        name for name, target in plan.rows() if target.key != before.stages[name]["uri"].rsplit("/")[-1]
    ] == stages


@pytest.mark.setting("filter.min_chars", "tokenize.max_seq_length", "train.max_steps")
@pytest.mark.setting("model.from_scratch.vocab_size", "model.from_scratch.hidden_size")
def test_each_stage_gets_its_settings(first: tuple[Settings, RunSummary]) -> None:
    """Documents, windows, steps and sizes are those that were asked for, so each stage got its settings."""
    settings, summary = first
    store = Store(settings.store)
    records = {
        name: store.manifest(summary.stages[name]["uri"]).record
        for name in ("corpus", "tokenized", "training")
    }
    assert records["corpus"]["dropped_by_reason"] == {"too_short": 3}
    assert records["tokenized"]["max_seq_length"] == 24
    assert records["tokenized"]["vocab_size"] == 210
    assert records["training"]["global_step"] == 2
    config = json.loads((published(settings, summary) / "config.json").read_text())
    assert (config["hidden_size"], config["num_hidden_layers"]) == (16, 1)
