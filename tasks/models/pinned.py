"""The model that is adapted, pinned to one content: from the hub, a folder, the store, or from scratch.

Only `config.json` and digests are read here, so that a plan costs no weights and no import of torch.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from httpx2 import HTTPError, InvalidURL
from huggingface_hub import HfApi, hf_hub_download, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tasks.errors import UserError, first_line, unreached
from tasks.models.limits import usable_positions
from tasks.models.settings import ModelSettings, ScratchSettings
from tasks.models.vocabulary import check_tokens, known_tokens
from tasks.store.folders import Store

POOLING_FILES = (
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "[0-9]*_*/config.json",
)
"""What sentence-transformers makes of an encoder, as patterns."""
WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors(\.index\.json)?")
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    # What sentencepiece reads, under the names that transformers' families give it.
    "spiece.model",
    "spm.model",
    "sentencepiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "*.spm",
)
"""The files that make a tokenizer what it is, as patterns."""
NETWORK_FAULTS = (
    HTTPError,
    InvalidURL,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    LocalEntryNotFoundError,
    OSError,
)
"""What the hub's client, and the HTTP client that it brings, raise when the hub cannot be reached.

Its not-found errors are caught before.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedModel:
    """A model pinned to one content: what to load, and what goes into the keys."""

    name: str
    """What a person calls it."""
    fingerprint: str
    """Changes whenever weights or configuration do."""
    tokenizer_fingerprint: str
    """Changes whenever the tokenizer does."""
    location: str | None
    """A folder of this machine, a hub name or a URI in a store; None for a model from scratch."""
    revision: str | None = None
    """The hub's commit; None elsewhere."""
    scratch: ScratchSettings | None = None
    max_positions: int
    """Most tokens in one window, special tokens included."""


def resolve_model(settings: ModelSettings, group: str = "model") -> PinnedModel:
    """Pin the model that `settings` name.

    Args:
        group: of the settings, as messages call them.

    Raises:
        UserError: there is no such model, it holds no safetensors weights, or fewer embeddings than tokens;
            or a revision is given of what has none.
        NetworkError: the hub does not answer, and its cache does not hold the model.
    """
    if (scratch := settings.from_scratch) is not None:
        tokenizer = scratch.model_dump(include={"vocab_size", "lowercase"})
        return PinnedModel(
            name="a BERT from scratch",
            fingerprint=_digest(scratch.keyed()),
            tokenizer_fingerprint=_digest(tokenizer),
            location=None,
            scratch=scratch,
            max_positions=scratch.max_position_embeddings,
        )
    name = settings.name_or_path
    is_folder = Path(name).expanduser().is_dir()
    if settings.revision is not None and ("://" in name or is_folder):
        raise UserError(
            f"{group}.revision is {settings.revision!r}, but {name} is no hub checkpoint and has no "
            f"revisions: leave {group}.revision out"
        )
    if "://" in name:
        return _in_store(name)
    if is_folder:
        return _in_folder(Path(name).expanduser().absolute())
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise UserError(
            f"{group}.name_or_path {name!r} is no folder here: give a folder, a hub name or a store's URI"
        )
    return _on_hub(name, settings.revision or "main", group)


def local_files(base: PinnedModel, work_dir: Path, *, weights: bool) -> Path:
    """A folder on this machine with the model's configuration and tokenizer, and its weights if asked.

    Raises:
        NetworkError: the hub or the store does not answer.
    """
    if base.location is None:
        raise ValueError("a model from scratch has no files")
    if "://" in base.location:
        store, uri = _split_uri(base.location)
        return store.fetch(uri, work_dir / "fetched" / "models" / uri.rsplit("/", 1)[-1])
    if base.revision is None:
        return Path(base.location)
    patterns = [
        *TOKENIZER_FILES,
        *POOLING_FILES,
        "config.json",
        *(["*.safetensors", "*.safetensors.index.json"] if weights else []),
    ]
    try:
        return Path(snapshot_download(base.location, revision=base.revision, allow_patterns=patterns))
    except NETWORK_FAULTS as error:
        raise unreached(f"the hub does not deliver {base.location}: {first_line(error)}", error) from error


def is_of_tokenizer(name: str) -> bool:
    """Whether a file's content changes what a tokenizer does."""
    return any(fnmatchcase(name, pattern) for pattern in TOKENIZER_FILES)


def _in_folder(folder: Path) -> PinnedModel:
    config = _config(folder / "config.json", folder.name)
    weights = sorted(path for path in folder.iterdir() if WEIGHTS.fullmatch(path.name))
    if not weights:
        pickled = sorted(path.name for path in folder.glob("*.bin"))
        raise UserError(
            f"{folder} has no model.safetensors"
            + (f", only pickled weights ({pickled[0]}), which are not loaded" if pickled else "")
            + ": save the model with safe_serialization=True"
        )
    check_tokens(known_tokens(folder), config, folder.name)
    tokenizer = {
        path.name: _file_digest(path)
        for path in folder.iterdir()
        if path.is_file() and is_of_tokenizer(path.name)
    }
    return PinnedModel(
        name=folder.name,
        fingerprint=_digest([config, *map(_file_digest, weights)]),
        tokenizer_fingerprint=_digest(tokenizer),
        location=str(folder),
        max_positions=_positions(config, folder / "tokenizer_config.json"),
    )


def _in_store(uri: str) -> PinnedModel:
    store, uri = _split_uri(uri)
    manifest = store.manifest(uri)
    if manifest is None:
        raise UserError(f"there is no complete model at {uri}: `docs-mlm models` lists those that are")
    config = store.read_json(f"{uri}/config.json") or {}
    tokenizer = {f.name: f.sha256 for f in manifest.files if is_of_tokenizer(f.name)}
    tokenizer_config = store.read_json(f"{uri}/tokenizer_config.json") or {}
    return PinnedModel(
        name=uri.removeprefix(store.url + "/"),
        fingerprint=_digest([f.sha256 for f in manifest.files if WEIGHTS.fullmatch(f.name)]),
        tokenizer_fingerprint=_digest(tokenizer),
        location=uri,
        max_positions=usable_positions(config, tokenizer_config),
    )


def _on_hub(name: str, revision: str, group: str) -> PinnedModel:
    try:
        sha = HfApi().model_info(name, revision=revision).sha or revision
    except (GatedRepoError, RepositoryNotFoundError) as error:
        raise UserError(
            f"the hub has no model {name!r} that you may read: check the name, or set HF_TOKEN"
        ) from error
    except RevisionNotFoundError as error:
        raise UserError(f"{name} has no revision {revision!r}: give a branch, tag or commit of it") from error
    except HFValidationError as error:
        raise UserError(
            f"{group}.name_or_path {name!r} is no folder here and no hub name: {error}"
        ) from error
    except NETWORK_FAULTS as error:
        cached = try_to_load_from_cache(name, "config.json", revision=revision)
        if not isinstance(cached, str):
            raise unreached(
                f"the hub does not answer and its cache does not hold {name!r} ({first_line(error)}): "
                f"check the network, or give a local folder with --{group}.name-or-path",
                error,
            ) from error
        sha = Path(cached).parent.name
    try:
        path = Path(hf_hub_download(name, "config.json", revision=sha))
        config = _config(path, name)
    except EntryNotFoundError as error:
        raise UserError(f"{name} has no config.json: it is no transformers model") from error
    except NETWORK_FAULTS as error:
        raise unreached(f"the hub does not deliver {name}: {first_line(error)}", error) from error
    # What an earlier run has fetched lies beside it; else the run sees to it once it has fetched the rest.
    check_tokens(known_tokens(path.parent), config, name)
    return PinnedModel(
        name=name,
        fingerprint=_digest([name, sha]),
        tokenizer_fingerprint=_digest([name, sha]),
        location=name,
        revision=sha,
        max_positions=_positions(config, Path("absent")),
    )


def _split_uri(uri: str) -> tuple[Store, str]:
    base, _, rest = uri.rstrip("/").rpartition("/models/")
    if not base or "/" in rest:
        raise UserError(
            f"{uri!r} is no model in a store: give <store>/models/<key>, as `docs-mlm models` shows"
        )
    store = Store(base)
    return store, store.uri("models", rest)


def _config(path: Path, name: str) -> dict[str, Any]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{name} has no config.json: it is no transformers model") from error
    except ValueError as error:
        raise UserError(f"{path.name} of {name} is not JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise UserError(f"{path.name} of {name} is not a JSON object")
    return loaded


def _positions(config: dict[str, Any], tokenizer_config: Path) -> int:
    known = _config(tokenizer_config, tokenizer_config.parent.name) if tokenizer_config.is_file() else {}
    return usable_positions(config, known)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
