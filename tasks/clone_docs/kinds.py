"""Which kind of source is given: the one place that knows all four."""

from tasks.clone_docs.file_sources import FolderSource, JsonSource
from tasks.clone_docs.git_sources import CheckoutSource, UrlSource
from tasks.clone_docs.pinned import PinnedSource
from tasks.clone_docs.reading import Source
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError


def source_of(settings: SourceSettings) -> Source:
    """The source that is given.

    Raises:
        UserError: there is none.
    """
    if settings.url is not None:
        return UrlSource(settings, settings.url)
    if settings.checkout is not None:
        return CheckoutSource(settings, settings.checkout)
    if settings.folder is not None:
        return FolderSource(settings, settings.folder)
    if settings.json_file is not None:
        return JsonSource(settings, settings.json_file)
    raise UserError(
        "no source is given: say where the documents are with --source.url URL, --source.checkout FOLDER, "
        "--source.folder FOLDER or --source.json-file FILE"
    )


def resolve_source(settings: SourceSettings) -> PinnedSource:
    """Pin the source to one content, with at most one question to a server.

    Raises:
        UserError: there is no source, or no such repository, ref, folder or file.
        NetworkError: the server does not answer.
    """
    return source_of(settings).pin()
