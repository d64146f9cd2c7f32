"""Documents that need no Git: a folder of files, and a JSON file of texts."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.clone_docs.documents import Document, blob_sha
from tasks.clone_docs.patterns import FolderFile, PathPatterns, folder_files, open_regular
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError

CHUNK = 1 << 20


def folder_documents(folder: Path, settings: SourceSettings) -> Iterator[Document]:
    """The documents in `folder`, sorted by path.

    Raises:
        UserError: a file cannot be read.
    """
    patterns = PathPatterns(settings)
    for file in folder_files(folder, patterns, recursive=settings.recursive):
        if not file.is_regular:
            yield Document(path=file.path, blob_sha=None, reason="not_regular_file")
        elif patterns.exclude(file.path):
            yield Document(path=file.path, blob_sha=None, reason="excluded_path")
        else:
            yield _read(file, settings.max_file_bytes)


def _read(file: FolderFile, max_bytes: int) -> Document:
    with open_regular(file.place) as stream:
        content = stream.read(max_bytes + 1)
        if len(content) <= max_bytes:
            return Document(path=file.path, blob_sha=blob_sha(content), size=len(content), content=content)
        size = len(content)
        while chunk := stream.read(CHUNK):
            size += len(chunk)
    return Document(path=file.path, blob_sha=None, size=size, reason="too_large")


def json_documents(file: Path, settings: SourceSettings) -> list[Document]:
    """The documents in a JSON list of strings or of objects, sorted by path.

    Raises:
        UserError: the file holds something else; the message says what and where.
    """
    texts = _load(file)
    if not isinstance(texts, list):
        raise UserError(f"{file} holds {_kind(texts)}: give a JSON list of strings or of objects")
    return sorted(
        (_document(file, index, item, settings.max_file_bytes) for index, item in enumerate(texts)),
        key=lambda document: document.path,
    )


def _load(file: Path) -> Any:
    with open_regular(file) as stream:
        raw = stream.read()
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except RecursionError as error:
        raise UserError(f"{file} is nested too deeply: give a JSON list of strings or of objects") from error
    except ValueError as error:
        raise UserError(f"{file} is not JSON: {error}") from error


def _document(file: Path, index: int, item: Any, max_bytes: int) -> Document:
    # A lone surrogate is legal JSON and no UTF-8: passed on, so that the filter counts it as such.
    text, identity = _text_of(file, index, item)
    content = text.encode("utf-8", "surrogatepass")
    name = identity if identity is not None else hashlib.sha256(content).hexdigest()[:12]
    path = f"{file.name}#{name}".encode("utf-8", "surrogatepass")
    sha = blob_sha(content)
    if len(content) > max_bytes:
        return Document(path=path, blob_sha=sha, size=len(content), reason="too_large")
    return Document(path=path, blob_sha=sha, size=len(content), content=content)


def _text_of(file: Path, index: int, item: Any) -> tuple[str, str | None]:
    """The text of one item, its title on top, and its id if it has one."""
    if isinstance(item, str):
        return item, None
    if not isinstance(item, dict):
        raise UserError(f"{file}: item {index} is {_kind(item)}: each must be a string or an object")
    text = item.get("content", item.get("text"))
    if not isinstance(text, str):
        members = ", ".join(sorted(item)) or "nothing"
        raise UserError(
            f"{file}: item {index} has no text (its members: {members}): "
            "give the text as a string in `content` or `text`"
        )
    title, identity = item.get("title"), item.get("id")
    if not isinstance(title, str | None):
        raise UserError(f"{file}: item {index} has {_kind(title)} as its title: give a string")
    if isinstance(identity, bool) or not isinstance(identity, str | int | None):
        raise UserError(f"{file}: item {index} has {_kind(identity)} as its id: give a string or a number")
    if title and not text.lstrip().lstrip("#").lstrip().startswith(title):
        text = f"# {title}\n\n{text}"
    return text, None if identity is None else str(identity)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"
