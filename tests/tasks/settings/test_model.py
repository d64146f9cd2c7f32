"""Which model is adapted: the weights that training starts from, and their sizes."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tasks.models.pinned import local_files, resolve_model
from tasks.models.settings import ModelSettings, ScratchSettings
from tasks.tokenize_corpus.settings import TokenizeSettings
from tasks.tokenize_corpus.stage import load_tokenizer, tokenize_corpus
from tasks.train_model.settings import TrainSettings
from tasks.train_model.stage import train_model
from tasks.train_model.training import train
from tests.tasks.settings.corpus import new_model, tokenizer
from tests.tasks.settings.hub import NAME, commit_of, hub
from tests.tasks.settings.staging import Staged
from tests.tasks.settings.watching import Watched, job_of, watching


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two models of the same sizes with other weights: `first` and `second`."""
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("first", "second")):
        new_model(seed).save_pretrained(folder / name)
        tokenizer().save_pretrained(folder / name)
    return {name: folder / name for name in ("first", "second")}


def starts_from(run: Watched, folder: Path) -> bool:
    """Whether a training's first step found the weights of a folder."""
    saved = load_file(folder / "model.safetensors")
    return all(weight.equal(saved[name]) for name, weight in run.steps[0].before.items() if name in saved)


def keys_of(settings: ModelSettings) -> list[str]:
    """The keys of windows and of training."""
    base = resolve_model(settings)
    recipes = {
        tokenize_corpus: tokenize_corpus.recipe(base, TokenizeSettings()),
        train_model: train_model.recipe(base, TrainSettings()),
    }
    return [stage.key(recipe, {}) for stage, recipe in recipes.items()]


@pytest.mark.setting("model.name_or_path")
@pytest.mark.parametrize("name", ["first", "second"])
def test_training_starts_from_the_model_named(
    corpus: Path, tmp_path: Path, models: dict[str, Path], name: str
) -> None:
    """The first step finds the weights of the folder that was named, and no other's."""
    base = resolve_model(ModelSettings(name_or_path=str(models[name])))
    run = Staged(corpus, tmp_path).train(base, max_steps=1)
    assert {other: starts_from(run, folder) for other, folder in models.items()} == {
        other: other == name for other in models
    }


@pytest.mark.setting("model.revision", "model.name_or_path")
@pytest.mark.parametrize(("revision", "name"), [(None, "first"), ("v2", "second")])
def test_a_hubs_model_is_that_of_the_revision(
    corpus: Path, tmp_path: Path, models: dict[str, Path], revision: str | None, name: str
) -> None:
    """The hub is asked for the revision, then for its commit's files alone, and these are trained."""
    with hub({"main": models["first"], "v2": models["second"]}, tmp_path / "cache") as asked:
        settings = ModelSettings(name_or_path=NAME, revision=revision)
        base = resolve_model(settings)
        assert asked[0] == f"/api/models/{NAME}/revision/{revision or 'main'}"
        assert base.revision == commit_of(models[name])
        assert load_tokenizer(base, list, tmp_path).get_vocab() == tokenizer().get_vocab()
        staged = Staged(corpus, tmp_path / "staged")
        run = staged.train(base, max_steps=1)
        files = local_files(base, tmp_path, weights=True)
    commits = {
        found[1] for path in asked[1:] if (found := re.search(r"/(?:resolve|revision|tree)/([^/]+)", path))
    }
    assert commits == {base.revision}
    assert starts_from(run, models[name])
    assert (files / "model.safetensors").read_bytes() == (models[name] / "model.safetensors").read_bytes()


@pytest.mark.setting("model.revision")
def test_a_job_that_names_a_hubs_model_loads_its_revision(
    corpus: Path, tmp_path: Path, models: dict[str, Path]
) -> None:
    """Training itself asks the hub for no other revision than the job's."""
    job = replace(
        job_of(corpus, tmp_path, max_steps=1),
        location=NAME,
        revision=commit_of(models["second"]),
        scratch=None,
    )
    with (
        hub({"main": models["first"], "v2": models["second"]}, tmp_path / "cache") as asked,
        watching() as run,
    ):
        train(job)
    assert starts_from(run, models["second"])
    assert not [path for path in asked if commit_of(models["second"]) not in path and "/api/" not in path]


@pytest.mark.setting("model.revision")
def test_another_revision_is_another_key(tmp_path: Path, models: dict[str, Path]) -> None:
    """Two names of one commit have one key, another commit has others."""
    revisions = {"main": models["first"], "v1": models["first"], "v2": models["second"]}
    with hub(revisions, tmp_path / "cache"):
        keys = {name: keys_of(ModelSettings(name_or_path=NAME, revision=name)) for name in revisions}
        keys["nothing"] = keys_of(ModelSettings(name_or_path=NAME))
    assert keys["nothing"] == keys["main"] == keys["v1"]
    assert all(one != other for one, other in zip(keys["main"], keys["v2"], strict=True))


SIZES: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "intermediate_size": 40,
    "max_position_embeddings": 48,
}


@pytest.mark.setting(
    "model.from_scratch",
    "model.from_scratch.hidden_size",
    "model.from_scratch.num_hidden_layers",
    "model.from_scratch.num_attention_heads",
    "model.from_scratch.intermediate_size",
    "model.from_scratch.max_position_embeddings",
)
def test_a_new_model_has_the_sizes_asked_for(corpus: Path, tmp_path: Path) -> None:
    """Its weights have the shapes of the sizes, and it is saved with them."""
    base = resolve_model(ModelSettings(from_scratch=ScratchSettings(**SIZES)))
    staged = Staged(corpus, tmp_path)
    run = staged.train(base, max_steps=1)
    shapes = {name: tuple(weight.shape) for name, weight in run.weights.items()}
    assert shapes["bert.embeddings.position_embeddings.weight"] == (48, 24)
    assert shapes["bert.encoder.layer.2.intermediate.dense.weight"] == (40, 24)
    assert not any(name.startswith("bert.encoder.layer.3.") for name in shapes)
    saved = json.loads((run.folder / "config.json").read_text())
    assert {name: saved[name] for name in SIZES} == SIZES
    assert base.max_positions == 48


@pytest.mark.setting("model.from_scratch")
def test_without_it_there_is_a_checkpoint(models: dict[str, Path]) -> None:
    """A model that is named is loaded, and one from scratch has no place to be loaded from."""
    named = resolve_model(ModelSettings(name_or_path=str(models["first"])))
    assert (named.scratch, named.location) == (None, str(models["first"]))
    new = resolve_model(ModelSettings(from_scratch=ScratchSettings()))
    assert (new.scratch, new.location) == (ScratchSettings(), None)


TEXTS = [
    f"The Agent of Server{number} joins Cluster{number % 7} at dawn, {number * 37}." for number in range(300)
]


@pytest.mark.setting("model.from_scratch.vocab_size")
@pytest.mark.parametrize("size", [200, 350])
def test_a_new_tokenizer_has_the_vocabulary_asked_for(tmp_path: Path, size: int) -> None:
    """It knows as many tokens as asked for, where the texts have them."""
    base = resolve_model(ModelSettings(from_scratch=ScratchSettings(vocab_size=size)))
    assert len(load_tokenizer(base, lambda: TEXTS, tmp_path)) == size


@pytest.mark.setting("model.from_scratch.lowercase")
@pytest.mark.parametrize("lowercase", [True, False])
def test_a_new_tokenizer_lowercases_if_asked(tmp_path: Path, lowercase: bool) -> None:
    """With it case makes no difference; without it a capital is a token of its own."""
    base = resolve_model(ModelSettings(from_scratch=ScratchSettings(lowercase=lowercase)))
    found = load_tokenizer(base, lambda: TEXTS, tmp_path)
    assert found.tokenize("The Agent") == (["the", "agent"] if lowercase else ["The", "Agent"])
    assert any(token != token.lower() for token in found.get_vocab() if token[0] != "[") is not lowercase


@pytest.mark.setting("model.from_scratch", "model.from_scratch.vocab_size", "model.from_scratch.lowercase")
@pytest.mark.parametrize("change", [{"vocab_size": 9000}, {"lowercase": False}, {"hidden_size": 128}])
def test_other_sizes_are_another_key(change: dict[str, Any]) -> None:
    """Any other size trains another model; only vocabulary and case make other windows."""
    keys, other = (keys_of(ModelSettings(from_scratch=ScratchSettings(**values))) for values in ({}, change))
    assert (keys[0] != other[0]) is ("hidden_size" not in change)
    assert keys[1] != other[1]
