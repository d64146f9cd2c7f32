"""What has been published: the newest model, all versions with their figures, and what a model predicts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.store import Manifest, Store
from tasks.weights import load_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One published version, with the figures that a person compares."""

    version: str
    uri: str
    source: str
    commit_sha: str
    documents: int
    steps: int
    loss_before: float | None
    loss_after: float | None
    accuracy: float | None


def newest_model(store: Store) -> Manifest | None:
    """The manifest of the newest published model, or None."""
    latest = store.read_json(store.uri("models", "latest.json"))
    # By its key, not its URI: a store that was copied elsewhere is as good as where it was made.
    return store.manifest(store.uri("models", str(latest["key"]))) if latest and "key" in latest else None


def list_versions(store: Store) -> list[Version]:
    """All complete published versions, oldest first."""
    folders = store.folders(store.uri("models"))
    manifests = [store.manifest(store.uri("models", key)) for key in folders]
    return sorted((_version(store, found) for found in manifests if found), key=lambda v: v.version)


def local_model(store: Store, model: str | None, work_dir: Path) -> Path:
    """A local folder with a model: the store's newest, one of its versions or URIs, or any folder.

    Raises:
        UserError: there is no such model, or a folder has only pickled weights.
    """
    if model is not None and (folder := Path(model).expanduser()).is_dir():
        if not list(folder.glob("model*.safetensors")):
            raise UserError(
                f"{folder} has no model.safetensors, and pickled weights are not loaded: "
                "save the model with safe_serialization=True"
            )
        return folder
    if model is None:
        manifest = newest_model(store)
        if manifest is None:
            raise UserError(
                f"no model is published in {store.url} yet: make one with `docs-mlm run` or `docs-mlm demo`"
            )
        uri = store.uri("models", manifest.key)
    elif "://" in model:
        base, _, key = model.rstrip("/").rpartition("/models/")
        store = Store(base or model)
        uri = store.uri("models", key)
    else:
        match = [known for known in list_versions(store) if known.version == model]
        if not match:
            raise UserError(
                f"{model!r} is neither a folder nor a version in {store.url}: see `docs-mlm models`"
            )
        uri = match[0].uri
    if store.manifest(uri) is None:
        raise UserError(f"there is no complete model at {uri}: `docs-mlm models` lists those that are")
    return store.fetch(uri, work_dir / "fetched" / "models" / uri.rsplit("/", 1)[-1])


def fill_masks(folder: Path, text: str, top_k: int) -> list[list[tuple[str, float]]]:
    """For each mask in `text`, the `top_k` likeliest tokens and their probabilities.

    Raises:
        UserError: the text has no mask or is longer than the model's positions, or the model has no MLM head.
    """
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    text = text.replace("[MASK]", tokenizer.mask_token)
    inputs = tokenizer(text, return_tensors="pt")
    places = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero().flatten()
    if not len(places):
        raise UserError(f"{text!r} has no [MASK]: write one where a word is to be guessed")
    model, missing = load_weights(AutoModelForMaskedLM, folder, trust_remote_code=False)
    if missing:
        raise UserError(
            f"{folder} lacks weights of the MLM head ({missing[0]}): adapt it with "
            f"`docs-mlm run --model.name-or-path {folder}`, or choose a model that fills masks"
        )
    model.eval()
    length, most = inputs["input_ids"].shape[1], model.config.max_position_embeddings
    if length > most:
        raise UserError(f"the text has {length} tokens, but the model takes {most}: shorten it")
    with torch.inference_mode():
        scores = model(**inputs).logits[0, places].softmax(-1)
    best = scores.topk(min(top_k, scores.shape[-1]))
    return [
        [(tokenizer.decode([token]).strip(), float(score)) for token, score in zip(ids, values, strict=True)]
        for ids, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]


def follows(folder: Path, first: str, second: str) -> float:
    """The probability that `second` follows `first`, by the model's head for pairs of sentences.

    For a model of NSP: follows it rather than being of another document; of SOP: rather than going before it.

    Raises:
        UserError: the model has no such head, or the texts are longer than its positions.
    """
    import torch
    from transformers import AutoConfig, AutoTokenizer, BertForNextSentencePrediction

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    no_head = UserError(
        "this model has no head that says whether one text follows another: train one with "
        "--train.objective mlm+nsp, or leave --next out"
    )
    if not {"BertForPreTraining", "BertForNextSentencePrediction"} & set(config.architectures or ()):
        raise no_head
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    inputs = tokenizer(first, second, return_tensors="pt")
    length, most = inputs["input_ids"].shape[1], config.max_position_embeddings
    if length > most:
        raise UserError(f"the two texts have {length} tokens, but the model takes {most}: shorten them")
    model, missing = load_weights(BertForNextSentencePrediction, folder)
    if missing:
        raise no_head
    model.eval()
    with torch.inference_mode():
        return float(model(**inputs).logits[0].softmax(-1)[0])


def _version(store: Store, manifest: Manifest) -> Version:
    trained: dict[str, Any] = manifest.ancestors["training"]
    before, after = trained["eval_before"] or {}, trained["eval_after"] or {}
    return Version(
        version=manifest.record["version"],
        uri=store.uri("models", manifest.key),
        source=manifest.ancestors["documents"]["source"],
        commit_sha=manifest.ancestors["documents"]["commit_sha"],
        documents=manifest.ancestors["corpus"]["kept"],
        steps=trained["global_step"],
        loss_before=before.get("loss"),
        loss_after=after.get("loss"),
        accuracy=after.get("accuracy"),
    )
