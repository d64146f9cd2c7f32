"""A line: the versions of one model of one repository, which are compared with each other and no others.

A repository, or the set of a joint corpus, and the model's name make a line of a store. All of it is told by
manifests and their summaries, those of earlier versions too. What lies on this machine has no address that
may be kept, so it is told by its last name: two folders called `docs` are told apart by `publish.model_name`.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from tasks.records import PublishedModel, short_name
from tasks.store.folders import Store
from tasks.store.manifest import Manifest

_READABLE = 48
"""Characters of a slug before its digest."""


@dataclass(frozen=True, slots=True)
class Line:
    """One repository or joint set, and the name of what is made of it."""

    sources: tuple[str, ...]
    """Each source as the documents' key has it, of one on this machine the last name; sorted."""
    model_name: str
    """The chosen name (`publish.model_name`), or the one that the model card makes."""

    @classmethod
    def of(cls, sources: Iterable[str], model_name: str) -> Self:
        """The line of a model of `sources`, each called as its snapshot calls it."""
        return cls(tuple(sorted(repository(source) for source in sources)), model_name)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self | None:
        """The line that `as_json` wrote; None where it is no such thing."""
        sources, name = values.get("sources"), values.get("model_name")
        if not isinstance(sources, list) or not isinstance(name, str):
            return None
        return cls(tuple(str(source) for source in sources), name)

    def as_json(self) -> dict[str, Any]:
        """The line as JSON-ready values."""
        return {"sources": list(self.sources), "model_name": self.model_name}

    @property
    def name(self) -> str:
        """What a person calls it; two repositories on different hosts may share it."""
        short = [short_name(source) for source in self.sources]
        shown = short if len(short) <= 3 else [*short[:2], f"{len(short) - 2} more"]
        return f"{' + '.join(shown)} · {self.model_name}"

    @property
    def slug(self) -> str:
        """What a program calls it: lower case letters, digits and dashes, of each line another."""
        whole = json.dumps([self.sources, self.model_name], ensure_ascii=True)
        words = [*(short_name(source).rsplit("/", 1)[-1] for source in self.sources), self.model_name]
        readable = re.sub("[^a-z0-9]+", "-", "-".join(words).lower())[:_READABLE].strip("-")
        digest = hashlib.sha256(whole.encode()).hexdigest()[:10]
        return f"{readable}-{digest}" if readable else digest


def repository(source: str) -> str:
    """A source's name without what its spellings differ in."""
    return source.rstrip("/").removesuffix(".git")


def line_of(store: Store, model: Manifest) -> Line:
    """The line of a published model, of whatever version of docs-mlm."""
    documents = model.ancestors.get("documents", {})
    sources = [str(part.get("source", "")) for part in documents.get("parts") or [documents]]
    return Line.of(sources, _name_of(store, model, sources))


def _name_of(store: Store, model: Manifest, sources: list[str]) -> str:
    """What its card calls a model; earlier versions tell it in its summary alone, unless it was chosen."""
    for name in (model.record.get("name"), model.settings.get("model_name")):
        if name:
            return str(name)
    summary = store.read_json(store.uri(PublishedModel.stage, model.key, PublishedModel.SUMMARY)) or {}
    # Where the summary is damaged, the name of a model without a base, which no card has then.
    return str(summary.get("name") or f"bert-{short_name(sources[0]).rsplit('/', 1)[-1]}".lower())
