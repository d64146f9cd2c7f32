"""The whole way: a repository goes in, an adapted model comes out, and what exists is not made again."""

import hashlib
import json
import math
import shutil
from pathlib import Path

import pytest

from flows.adapt import adapt
from flows.presets import read_settings_file
from tasks.errors import UserError
from tasks.settings import Settings
from tasks.store.folders import Store
from tests.flows.conftest import DOCUMENTS, MADE, make_documents
from tests.git_server import add_commit, make_repository
from tests.tiny import save_tiny_bert

BUNDLE = Path(__file__).parents[3] / "shared" / "data" / "azure-management-docs.bundle"

pytestmark = pytest.mark.usefixtures("prefect_server")


def run(settings: Settings):
    """One run of the main flow."""
    return adapt(**settings.as_parameters())


def reused(summary) -> list[str]:
    """The stages that a run did not make."""
    return [name for name, stage in summary.stages.items() if stage["reused"]]


def weights(uri: str) -> str:
    """The SHA-256 of a stored model's weights, as its manifest has it."""
    manifest = Store(uri.rsplit("/", 2)[0]).manifest(uri)
    return next(file.sha256 for file in manifest.files if file.name == "model.safetensors")


@pytest.fixture(scope="module")
def first(request, repositories, tmp_path_factory, prefect_server):
    """A finished run and its settings, on a store that other tests only read."""
    folder = tmp_path_factory.mktemp("first")
    settings = Settings.model_validate(
        {
            "source": {"url": repositories.url("docs.git")},
            "tokenize": {"max_seq_length": 48},
            "model": {"from_scratch": {**_sizes()}},
            "train": {
                "max_steps": 40,
                "per_device_train_batch_size": 8,
                "learning_rate": 0.005,
                "logging_steps": 5,
                "precision": "fp32",
            },
            "evaluate": {"enabled": False},
            "store": str(folder / "store"),
            "work_dir": str(folder / "work"),
        }
    )
    return settings, run(settings)


def _sizes() -> dict:
    from tests.tiny import SIZES

    return SIZES.model_dump()


def test_a_run_makes_every_stage_and_accounts_for_every_document(first):
    """Nothing is reused in an empty store, and found = kept + dropped."""
    _, summary = first
    assert reused(summary) == []
    assert list(summary.stages) == list(MADE)
    documents = summary.documents
    markdown = [name for name in DOCUMENTS if name.endswith(".md")]
    assert documents["found"] == len(markdown)
    assert documents["dropped_by_reason"] == {"too_short": 1, "exact_duplicate": 1}
    assert documents["kept"] + sum(documents["dropped_by_reason"].values()) == documents["found"]
    assert summary.tokens["coverage"] == 1.0
    assert summary.tokens["train"] + summary.tokens["eval"] == summary.tokens["corpus"]


def test_training_lowers_the_held_out_loss(first):
    """Held-out loss falls clearly, measured on the same masks before and after."""
    _, summary = first
    before, after = summary.eval["before"], summary.eval["after"]
    assert after["loss"] < before["loss"] - 0.5
    assert after["masked_tokens"] == before["masked_tokens"] > 0
    assert math.isclose(after["perplexity"], math.exp(after["loss"]))
    assert summary.training["global_step"] == 40


def test_the_published_folder_loads_with_plain_from_pretrained(first, tmp_path):
    """A plain copy of the published folder is a model and a tokenizer."""
    from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

    _, summary = first
    copy = shutil.copytree(summary.model["uri"].removeprefix("file://"), tmp_path / "copy")
    model, loading = AutoModelForMaskedLM.from_pretrained(copy, output_loading_info=True)
    assert not loading["missing_keys"]
    assert AutoModel.from_pretrained(copy).config.hidden_size == 32
    tokenizer = AutoTokenizer.from_pretrained(copy)
    logits = model(**tokenizer("Run the [MASK] command.", return_tensors="pt")).logits
    assert logits.shape[-1] == len(tokenizer)
    card = (copy / "README.md").read_text()
    assert summary.commit_sha in card
    assert card.startswith("---\n")
    published = json.loads((copy / "summary.json").read_text())
    assert published["eval"] == summary.eval


def test_the_dataset_loads_with_plain_datasets(first):
    """A user reads the cached dataset with `datasets` alone."""
    from datasets import load_from_disk

    _, summary = first
    data = load_from_disk(summary.stages["dataset"]["uri"].removeprefix("file://") + "/dataset")
    assert {"text", "path", "blob_sha", "split"} <= set(data["train"].column_names)
    assert len(data["train"]) + len(data["eval"]) == summary.documents["kept"]
    assert not set(data["train"]["path"]) & set(data["eval"]["path"])
    assert "title: 1" not in "".join(data["train"]["text"])


def test_a_second_run_reuses_everything(first):
    """The same settings find their model, whatever the work folder holds."""
    settings, summary = first
    again = run(settings)
    assert reused(again) == list(MADE)
    assert (again.run_key, again.model, again.eval) == (summary.run_key, summary.model, summary.eval)


def test_a_second_machine_fetches_nothing(first, repositories, tmp_path):
    """With a warm store, an empty work folder costs one look at the repository's branches and no clone."""
    settings, _ = first
    repositories.forget()
    again = run(settings.model_copy(update={"work_dir": tmp_path / "elsewhere"}))
    assert reused(again) == list(MADE)
    assert not [
        request for request in repositories.requests if request.method == "POST" and request.sent > 5000
    ]
    assert not (tmp_path / "elsewhere" / "clones").exists()


def test_the_same_run_on_s3_gives_the_same_keys_and_weights(first, s3, tmp_path, monkeypatch):
    """Where the results lie changes neither their keys nor the model."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    settings, summary = first
    remote = run(settings.model_copy(update={"store": s3.url("whole"), "work_dir": tmp_path / "work"}))
    assert reused(remote) == []
    assert remote.run_key == summary.run_key
    names = {name: stage["uri"].rsplit("/", 1)[-1] for name, stage in summary.stages.items()}
    assert {name: stage["uri"].rsplit("/", 1)[-1] for name, stage in remote.stages.items()} == names
    assert weights(remote.model["uri"]) == weights(summary.model["uri"])
    again = run(settings.model_copy(update={"store": s3.url("whole"), "work_dir": tmp_path / "other"}))
    assert reused(again) == list(MADE)
    assert not (tmp_path / "other" / "clones").exists()


@pytest.mark.parametrize(
    ("change", "starts_at"),
    [
        ({"train": {"seed": 7}}, "training"),
        ({"tokenize": {"max_seq_length": 32}}, "tokenized"),
        ({"filter": {"min_chars": 300}}, "corpus"),
        ({"source": {"exclude": ["docs/page-1*"]}}, "documents"),
    ],
)
def test_a_change_starts_where_it_matters(first, change, starts_at, tmp_path):
    """A changed setting remakes its own stage and all after it, and reuses what a copied store has."""
    settings, _ = first
    store = shutil.copytree(settings.store, tmp_path / "store")
    places = {"store": str(store), "work_dir": str(tmp_path / "work")}
    changed = settings.model_dump(mode="json") | places
    for stage, values in change.items():
        changed[stage] |= values
    summary = run(Settings.model_validate(changed))
    assert reused(summary) == list(MADE[: MADE.index(starts_at)])


def test_a_new_commit_starts_at_the_clone(chosen, repositories):
    """A new commit is cloned; going back to the old one reuses its model."""
    make_repository(repositories.root / "moving.git", DOCUMENTS)
    settings = chosen(source={"url": repositories.url("moving.git")})
    old = run(settings)
    extra = make_documents(40, seed=2)
    sha = add_commit(repositories.root / "moving.git", {"docs/new.md": extra["docs/page-35.md"]})
    new = run(settings)
    assert reused(new) == []
    assert new.commit_sha == sha != old.commit_sha
    assert new.documents["found"] == old.documents["found"] + 1
    back = run(chosen(source={"url": repositories.url("moving.git"), "ref": old.commit_sha}))
    assert reused(back) == list(MADE)
    assert back.model == old.model


def test_the_notebook_preset_does_what_the_notebook_did(chosen, tmp_path):
    """Raw texts of more than 200 characters, 128 tokens, batch 16, 3 epochs: ⌈documents/16⌉ × 3 steps."""
    folder = tmp_path / "markdown"
    for name, text in DOCUMENTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    base = save_tiny_bert(tmp_path / "bert")
    preset = read_settings_file("notebook")
    preset |= {
        "source": {"folder": str(folder)},
        "model": {"name_or_path": str(base)},
        "tokenize": preset["tokenize"] | {"max_seq_length": 64},
        "store": str(tmp_path / "store"),
        "work_dir": str(tmp_path / "work"),
    }
    summary = run(Settings.model_validate(preset))
    expected = [text for name, text in DOCUMENTS.items() if name.endswith(".md") and len(text) > 200]
    assert summary.documents["kept"] == len(expected)
    assert summary.training["global_step"] == math.ceil(len(expected) / 16) * 3
    assert summary.eval == {"before": None, "after": None}
    assert preset["tokenize"]["mode"] == "truncate"
    assert read_settings_file("notebook")["tokenize"]["max_seq_length"] == 128


def test_exported_texts_are_read_back(first, tmp_path):
    """A finished run writes docs_texts.json, and that file is a source with the same texts."""
    settings, summary = first
    target = tmp_path / "docs_texts.json"
    publish = settings.publish.model_copy(update={"export_texts": target})
    again = run(settings.model_copy(update={"publish": publish}))
    assert reused(again) == list(MADE)
    texts = json.loads(target.read_text(encoding="utf-8"))
    assert len(texts) == summary.documents["kept"]
    changed = settings.model_dump(mode="json") | {
        "source": {"json_file": str(target)},
        "filter": {"cleaning": "raw"},
        "store": str(tmp_path / "store"),
    }
    changed["train"]["max_steps"] = 2
    from_json = run(Settings.model_validate(changed))
    expected = {"found": len(texts), "kept": len(texts), "dropped_by_reason": {}}
    assert expected.items() <= from_json.documents.items()


def test_an_export_over_another_file_is_refused_before_anything_runs(chosen, tmp_path):
    """A file that docs-mlm did not write stays as it is, no stage begins, and the setting is named."""
    target = tmp_path / "docs_texts.json"
    target.write_text('["my own"]')
    settings = chosen(publish={"export_texts": str(target)})
    with pytest.raises(UserError, match=r"publish\.export_texts is .*docs_texts\.json.*give a new path"):
        run(settings)
    assert target.read_text() == '["my own"]'
    assert not list(Path(settings.store).glob("documents/*"))


def test_a_run_that_died_before_latest_moved_is_put_right(first):
    """`latest.json` is written by every run that finds it missing or behind."""
    settings, summary = first
    latest = Path(settings.store) / "models" / "latest.json"
    latest.unlink()
    run(settings)
    assert json.loads(latest.read_text())["version"] == summary.model["version"]


def test_two_runs_from_scratch_give_the_same_files(first, tmp_path):
    """The same settings on another machine give the same bytes in every stage but the publishing time."""
    settings, summary = first
    second = run(
        settings.model_copy(update={"store": str(tmp_path / "store"), "work_dir": tmp_path / "work"})
    )
    for stage in MADE[:-1]:
        one = Store(settings.store).manifest(summary.stages[stage]["uri"])
        two = Store(str(tmp_path / "store")).manifest(second.stages[stage]["uri"])
        assert {f.name: f.sha256 for f in one.files} == {f.name: f.sha256 for f in two.files}, stage


@pytest.mark.skipif(not BUNDLE.exists(), reason="the real documentation bundle is not beside the project")
@pytest.mark.parametrize(
    ("change", "low", "high"),
    [
        ({"tokenize": {"mode": "chunk", "max_seq_length": 128}}, 0.99, 1.0),
        (
            {
                "filter": {"cleaning": "raw", "duplicates": "keep"},
                "tokenize": {"mode": "truncate", "max_seq_length": 128},
            },
            0.05,
            0.09,
        ),
    ],
)
def test_the_real_repository_is_accounted_for(chosen, change, low, high):
    """Its 813 Markdown files are kept or dropped by reason; chunks cover the text, truncation 7 % of it."""
    sizes = {"from_scratch": {**_sizes(), "vocab_size": 4096, "max_position_embeddings": 128}}
    short = {"max_steps": 1, "per_device_train_batch_size": 8}
    base = {"source": {"url": str(BUNDLE)}, "model": sizes, "train": short}
    summary = run(chosen(**base, **change))
    documents = summary.documents
    assert documents["found"] == 813
    assert documents["kept"] + sum(documents["dropped_by_reason"].values()) == 813
    assert low <= summary.tokens["coverage"] <= high


def test_keys_hold_no_path_of_the_machine(first):
    """No manifest names the work folder or the home folder."""
    settings, _ = first
    for path in Path(settings.store).rglob("*.json"):
        text = path.read_text()
        assert str(settings.work_dir) not in text, path
        assert hashlib.sha256(str(Path.home()).encode()).hexdigest() not in text


def test_a_later_stages_error_says_what_stays(chosen, repositories):
    """Where all is filtered out the documents stay, the error says so, and the next try fetches nothing."""
    settings = chosen(filter={"min_chars": 100_000})
    with pytest.raises(UserError, match="none of 32 documents is left") as raised:
        adapt(**settings.as_parameters())
    assert str(raised.value).endswith(
        "what was made before stays in the store, and is reused unless its own settings change: documents"
    )
    store = Store(settings.store)
    assert [stage for stage in MADE if store.folders(store.uri(stage))] == ["documents"]
    repositories.forget()
    summary = adapt(**chosen(filter={"min_chars": 300}).as_parameters())
    assert summary.stages["documents"]["reused"]
    assert repositories.sent < 2_000, "it was asked for the commit, and for no document"
