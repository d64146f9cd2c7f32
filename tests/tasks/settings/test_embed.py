"""Whether a retrieval model is trained, from what, and how."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tasks.embed_model import training
from tasks.embed_model.rows import read_pairs
from tasks.embed_model.settings import EmbedSettings
from tasks.embed_model.stage import check_pairs, embed_adapted, embed_model
from tasks.errors import UserError
from tasks.models.encoders import resolve_encoder
from tasks.records import EmbeddedModel, Pairs, Record, TrainedModel
from tasks.retrieval.dense import Encoder
from tasks.run.plan import embedding_stage, pinned_encoder
from tasks.settings import Settings
from tasks.stage.target import Target
from tasks.store.folders import Store
from tasks.training.resuming import keeper_of
from tests.tasks.embed_model.made import job, write_pairs
from tests.tasks.retrieval.models import plain_folder, save_tiny_retriever
from tests.tiny import plant_code, save_tiny_bert


@pytest.mark.setting("embed.enabled", "embed.start")
def test_a_retrieval_model_is_trained_where_asked() -> None:
    """Of a given model, or of this run's own; without it there is no such stage."""
    given = {"enabled": True, "name_or_path": str(plain_folder())}
    assert embedding_stage(Settings()) is None
    assert pinned_encoder(Settings()) is None
    asked = Settings(embed=EmbedSettings(**given))
    assert embedding_stage(asked) is embed_model
    assert pinned_encoder(asked) is not None
    adapted = Settings(embed=EmbedSettings(**given, start="adapted"))
    assert embedding_stage(adapted) is embed_adapted
    assert pinned_encoder(adapted) is None
    assert (TrainedModel in embed_model.parents, TrainedModel in embed_adapted.parents) == (False, True)


@pytest.mark.setting("embed.name_or_path")
def test_another_model_is_another_result(tmp_path: Path) -> None:
    """Its weights and how it pools are in the key, wherever its folder lies."""
    folder = save_tiny_retriever(tmp_path / "a")
    first = resolve_encoder(str(folder), None, tmp_path)
    (tmp_path / "moved").mkdir()
    moved = folder.rename(tmp_path / "moved" / "retriever")
    assert resolve_encoder(str(moved), None, tmp_path).fingerprint == first.fingerprint
    pooling = moved / "1_Pooling" / "config.json"
    pooling.write_text(pooling.read_text().replace("mean", "max"))
    pooled = resolve_encoder(str(moved), None, tmp_path).fingerprint
    assert pooled != first.fingerprint
    (moved / "2_Dense").mkdir()
    (moved / "2_Dense" / "model.safetensors").write_bytes(b"weights")
    assert resolve_encoder(str(moved), None, tmp_path).fingerprint != pooled


@pytest.mark.parametrize("kind", ["nothing", "code", "modules", "decoder", "pickled"])
def test_what_makes_no_vectors_is_refused_before_anything_runs(tmp_path: Path, kind: str) -> None:
    """One line, which says what is wrong with it and names the setting or the way out."""
    folder = save_tiny_bert(tmp_path / "model", safe=kind != "pickled")
    trace = tmp_path / "trace"
    if kind == "code":
        plant_code(folder, trace)
    if kind == "modules":
        (folder / "modules.json").write_text('[{"idx": 0, "name": "0", "path": "", "type": "evil.Module"}]')
    if kind == "decoder":
        config = folder / "config.json"
        config.write_text(config.read_text().replace("BertForMaskedLM", "GPT2LMHeadModel"))
    place = tmp_path / "absent" if kind == "nothing" else folder
    says = {
        "nothing": r"embed\.name_or_path .* is no folder here",
        "code": "needs code of its own",
        "modules": r"needs code of its own \(evil\.Module\)",
        "decoder": "is a GPT2LMHeadModel, but a retrieval model is made of an encoder",
        "pickled": r"has no model\.safetensors, only pickled weights",
    }[kind]
    with pytest.raises(UserError, match=says) as error:
        resolve_encoder(str(place), None, tmp_path)
    assert "\n" not in str(error.value)
    assert not trace.exists()


@pytest.mark.setting("embed.revision")
def test_a_revision_is_of_a_hub_model_alone(tmp_path: Path) -> None:
    """A folder has none."""
    with pytest.raises(UserError, match=r"embed\.revision is 'v1', but .* is no hub checkpoint"):
        resolve_encoder(str(plain_folder()), "v1", tmp_path)


def pairs_record(train: int) -> Pairs:
    """Pairs of which so many train."""
    return Pairs(
        uri="u", key="k", passages=9, mined=9, kept=train, dropped_by_reason={"generic": 9 - train},
        by_kind={}, by_split={"train": train},
    )  # fmt: skip


@pytest.mark.setting("embed.without_pairs")
def test_without_pairs_the_run_ends_or_goes_on() -> None:
    """Refused with the counts; or skipped with the same reason."""
    settings = EmbedSettings(enabled=True)
    assert check_pairs(pairs_record(2), settings) is None
    with pytest.raises(UserError, match=r"hold 1 pairs .*dropped: 8 generic.*without_pairs skip"):
        check_pairs(pairs_record(1), settings)
    reason = check_pairs(pairs_record(1), settings.model_copy(update={"without_pairs": "skip"}))
    assert reason is not None
    assert "mined 9" in reason
    assert check_pairs(pairs_record(0), EmbedSettings()) is None


@pytest.mark.setting("embed.loss", "embed.mini_batch_size", "embed.matryoshka_dims")
def test_the_loss_is_the_chosen_one(tmp_path: Path) -> None:
    """Each of the three, with its mini-batch, and around it the one of shorter vectors."""

    def made(**changes: Any) -> Any:
        one = job(tmp_path / "run", plain_folder(), **changes)
        return training.loss_of(training.load_encoder(one.model, one.settings).model, one)

    assert type(made()).__name__ == "CachedMultipleNegativesRankingLoss"
    assert made(mini_batch_size=3).mini_batch_size == 3
    assert made(loss="symmetric").directions == ("query_to_doc", "doc_to_query")
    assert type(made(loss="guided")).__name__ == "CachedGISTEmbedLoss"
    shorter = made(matryoshka_dims=[8, 16])
    assert type(shorter).__name__ == "MatryoshkaLoss"
    assert list(shorter.matryoshka_dims) == [16, 8]


@pytest.mark.setting("embed.attention_dropout", "embed.hidden_dropout")
def test_dropout_is_the_trainings_and_not_the_models(tmp_path: Path) -> None:
    """Layers have the rates asked for, or the model's own; vectors and configuration stay as they were."""
    folder = save_tiny_retriever(tmp_path / "base")
    before = Encoder.load(folder).passages(["a fox", "an engine"])

    def rates(**changes: Any) -> tuple[float, float]:
        encoder = training.load_encoder(folder, EmbedSettings(**changes))
        assert np.array_equal(encoder.passages(["a fox", "an engine"]), before)
        bert = encoder.model[0].model
        assert bert.config.hidden_dropout_prob == bert.config.attention_probs_dropout_prob == 0.1
        layer = bert.encoder.layer[0]
        return layer.attention.self.dropout.p, layer.output.dropout.p

    assert rates() == (0.0, 0.0)
    assert rates(attention_dropout=0.3) == (0.3, 0.0)
    assert rates(attention_dropout=None, hidden_dropout=0.2) == (0.1, 0.2)


@pytest.mark.setting("embed.hard_negatives", "embed.query_prompt", "embed.document_prompt")
@pytest.mark.setting("embed.max_seq_length")
def test_negatives_prompts_and_lengths(tmp_path: Path) -> None:
    """As many columns of wrong passages; prompts for each column; texts are cut."""
    one = job(tmp_path, plain_folder(), hard_negatives=2, query_prompt="q: ", document_prompt="d: ",
              max_seq_length=9)  # fmt: skip
    encoder = training.load_encoder(one.model, one.settings)
    wrong = training.negatives_of(pairs := read_pairs(one.pairs), encoder, one.settings)
    assert pairs.rows(wrong).column_names == ["query", "passage", "wrong_1", "wrong_2"]
    told = training.training_arguments(one, "fp32", batch=4, model=encoder.model)
    assert told.prompts == {"query": "q: ", "passage": "d: ", "wrong_1": "d: ", "wrong_2": "d: "}
    assert encoder.model.prompts["query"] == "q: "
    assert encoder.model.prompts["document"] == "d: "
    assert encoder.model.max_seq_length == 9
    assert training.negatives_of(pairs, encoder, EmbedSettings()) is None


@pytest.mark.setting("embed.num_train_epochs", "embed.max_steps", "embed.batch_size", "embed.learning_rate")
@pytest.mark.setting("embed.warmup_share", "embed.weight_decay", "embed.precision", "embed.seed")
@pytest.mark.setting("embed.logging_steps", "embed.save_steps", "embed.save_total_limit")
@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("num_train_epochs", 2.5, "num_train_epochs"),
        ("max_steps", 7, "max_steps"),
        ("batch_size", 6, "per_device_train_batch_size"),
        ("learning_rate", 3e-4, "learning_rate"),
        ("warmup_share", 0.25, "warmup_steps"),
        ("weight_decay", 0.3, "weight_decay"),
        ("precision", "bf16", "bf16"),
        ("seed", 5, "seed"),
        ("logging_steps", 9, "logging_steps"),
        ("save_steps", 11, "save_steps"),
        ("save_total_limit", 4, "save_total_limit"),
    ],
)
def test_the_trainer_is_told(tmp_path: Path, setting: str, value: Any, told: str) -> None:
    """Each setting is one of sentence-transformers' own."""
    one = job(tmp_path, plain_folder(), **{setting: value})
    precision = "bf16" if one.settings.precision == "bf16" else "fp32"
    model = training.load_encoder(one.model, one.settings).model
    arguments = training.training_arguments(one, precision, batch=one.settings.batch_size, model=model)
    assert getattr(arguments, told) == (True if setting == "precision" else value)
    bounds = EmbedSettings.model_fields[setting].metadata
    if any(hasattr(bound, "ge") or hasattr(bound, "gt") for bound in bounds):
        with pytest.raises(ValidationError):
            EmbedSettings(**{setting: -2})


@pytest.mark.setting("embed.resume")
def test_a_training_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest one, one that is named, or none: then those that are there are deleted."""
    store, kinds = Store(str(tmp_path / "store")), {"pairs": Pairs, "embedding": EmbeddedModel}

    def target(kind: type[Record], key: str) -> Target:
        uri = store.uri(kind.stage, key)
        return Target(stage=kind.stage, key=key, uri=uri, action="run", why="", store_url=store.url,
                      work_dir=str(tmp_path / "work"))  # fmt: skip

    counts = {name: getattr(pairs_record(9), name) for name in ("passages", "mined", "kept")}
    counts |= {"dropped_by_reason": {}, "by_kind": {}, "by_split": {"train": 9}}
    mined = target(kinds["pairs"], "p").commit(write_pairs(tmp_path / "pairs"), Pairs, counts)
    wanted, base = target(EmbeddedModel, "e"), resolve_encoder(str(plain_folder()), None, tmp_path)
    checkpoint = tmp_path / "checkpoint-2"
    checkpoint.mkdir()
    (checkpoint / "model.safetensors").write_text("weights")
    keeper = keeper_of(wanted, 2)
    keeper.submit(checkpoint, 2)
    assert keeper.close()
    seen = []

    def stop(found: training.EmbedJob, **_: Any) -> Any:
        seen.append(found.resume_from and found.resume_from.name)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", stop)
    name = store.folders(store.uri("checkpoints", "e"))[0]
    for resume in ("auto", store.uri("checkpoints", "e") + f"/{name}", "fresh", "auto"):
        with pytest.raises(KeyboardInterrupt):
            embed_model.make(wanted, mined, None, base, EmbedSettings(enabled=True, resume=resume))
    assert seen == ["checkpoint-2", "checkpoint-2", None, None]
