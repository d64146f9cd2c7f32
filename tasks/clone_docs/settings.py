"""Where the documents come from: the choices."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_serializer, model_validator

from tasks.clone_docs.git.urls import safe_name
from tasks.stage.keys import Instead, MostUsed, NotInKey, StageSettings


class SourceSettings(StageSettings):
    """Where the documents come from: give exactly one of url, checkout, folder and json_file."""

    url: Annotated[str | None, MostUsed] = Field(
        None,
        title="Git URL",
        description="Git repository to fetch (https, ssh, git, http, file:// or a local path). "
        "Keep passwords out: use GIT_TOKEN, Git's credential helpers or credentials_block.",
    )
    ref: Annotated[str | None, MostUsed] = Field(
        None, title="Branch, tag or commit", description="What to fetch; the default branch if empty."
    )
    checkout: Annotated[Path | None, Instead("ref")] = Field(
        None,
        title="Local checkout",
        description="A Git checkout on this machine, read at `ref` (or HEAD) without cloning; "
        "uncommitted edits are not read.",
    )
    folder: Annotated[Path | None, Instead()] = Field(
        None, title="Folder", description="A folder of Markdown files on this machine, read as they are."
    )
    json_file: Annotated[Path | None, Instead()] = Field(
        None,
        title="JSON file",
        description="A JSON list or JSON Lines of strings, or of objects with `id`, `title`, and `content` "
        "or `text`. What docs-mlm exported is not cleaned again.",
    )
    recursive: bool = Field(
        True, title="Recursive", description="Read a folder's subfolders too; off reads its top level only."
    )
    include: list[str] = Field(
        ["**/*.md", "**/*.markdown", "**/*.mdx"],
        min_length=1,
        title="Include",
        description="Path patterns to read, as in .gitignore; not used for a JSON file.",
    )
    exclude: list[str] = Field(
        [], title="Exclude", description="Path patterns to leave out, as in .gitignore; counted as dropped."
    )
    max_file_bytes: int = Field(
        10_000_000,
        ge=1,
        le=1_000_000_000,
        title="Largest file (bytes)",
        description="Larger files are not read, but counted as too large.",
    )
    fetch: Annotated[Literal["partial", "shallow", "full"], NotInKey] = Field(
        "partial",
        title="How to fetch",
        description="partial: only the chosen files of one commit; shallow: one commit; full: all history. "
        "A server without partial clones gets a shallow one.",
    )
    credentials_block: Annotated[str | None, NotInKey] = Field(
        None,
        title="Credentials block",
        description="Name of a Prefect Secret block that holds a token for the Git server.",
    )

    @field_serializer("url")
    def _without_password(self, url: str | None) -> str | None:
        # What Prefect stores of a run's parameters, and every other dump, never holds a password.
        return safe_name(url) if url else url

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """What a log or a traceback shows."""
        for name, value in super().__repr_args__():
            yield name, safe_name(value) if name == "url" and value else value

    @model_validator(mode="after")
    def _ref_needs_git(self) -> Self:
        if self.ref is not None and (self.folder or self.json_file):
            raise ValueError("ref is for a Git source: leave it out with folder or json_file")
        given = [n for n in ("url", "checkout", "folder", "json_file") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"give one source, not {len(given)} ({', '.join(given)})")
        return self
