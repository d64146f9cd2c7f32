"""Documents that need no Git: a folder of files, and a JSON file of texts."""

from collections.abc import Iterator
from pathlib import Path

from tasks.clone_docs.documents import Document, blob_sha
from tasks.clone_docs.json_texts import Text, bad_records, counted, read_texts
from tasks.clone_docs.patterns import FolderFile, PathPatterns, folder_files, open_regular
from tasks.clone_docs.settings import SourceSettings
from tasks.stage.log import stage_logger

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
    """The documents in a JSON file of texts, sorted by path.

    Raises:
        UserError: it holds no text; the message says what it holds, and where.
    """
    texts = read_texts(file)
    if bad := bad_records(texts):
        stage_logger().warning(
            "%s: %d of %d records hold no text (%s)", file.name, bad.total(), len(texts), counted(bad)
        )
    if ignored := sum(text.ignored for text in texts):
        stage_logger().warning("%s: %d titles or ids are no string or number: left out", file.name, ignored)
    documents = [_document(text, settings.max_file_bytes) for text in texts]
    return sorted(documents, key=lambda document: document.path)


def _document(text: Text, max_bytes: int) -> Document:
    path = text.path.encode("utf-8", "surrogatepass")
    if text.reason is not None:
        return Document(path=path, blob_sha=None, reason=text.reason)
    # A lone surrogate is legal JSON and no UTF-8: passed on, so that the filter counts it as such.
    content = text.text.encode("utf-8", "surrogatepass")
    sha = blob_sha(content)
    if len(content) > max_bytes:
        return Document(path=path, blob_sha=sha, size=len(content), reason="too_large")
    return Document(path=path, blob_sha=sha, size=len(content), content=content)
