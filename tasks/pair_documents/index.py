"""The sections of all documents by number, and by the names that links call them: numbers alone in memory."""

from array import array

import numpy as np
import numpy.typing as npt

from tasks.pair_documents.candidates import NOWHERE, Ints
from tasks.pair_documents.queries import digest, normalised
from tasks.pair_documents.sections import alike

Flags = npt.NDArray[np.bool_]


class Sections:
    """Where each section is, and which passages it has."""

    def __init__(self) -> None:
        self._documents, self._firsts, self._counts = array("q"), array("q"), array("q")
        self._texts = array("Q")
        self._keys, self._named = array("Q"), array("q")
        self._leads = array("q")
        self._held = bytearray()
        self._found: tuple[npt.NDArray[np.uint64], Ints] | None = None

    @property
    def passages(self) -> int:
        """How many passages there are so far."""
        return len(self._texts)

    def begin(self, *, held_out: bool) -> int:
        """Begin the next document; its number."""
        self._leads.append(NOWHERE)
        self._held.append(held_out)
        return len(self._leads) - 1

    def add(self, names: tuple[str, ...], texts: list[str]) -> int:
        """Add a section of the document with the texts of its passages; its number."""
        number, document = len(self._documents), len(self._leads) - 1
        self._documents.append(document)
        self._firsts.append(self.passages)
        self._counts.append(len(texts))
        self._texts.extend(digest(normalised(text)) for text in texts)
        if texts and self._leads[document] == NOWHERE:
            self._leads[document] = number
        for name in names:
            self._keys.extend((_exact(document, name), _alike(document, name)))
            self._named.extend((number, number))
        return number

    def lead(self, document: int) -> int:
        """The first section of a document that has text, or `NOWHERE`."""
        return self._leads[document]

    def count(self, section: int) -> int:
        """How many passages a section has."""
        return self._counts[section]

    def named(self, document: int, name: str) -> int:
        """The section of a document that a link calls `name`, or `NOWHERE`; once all are added."""
        if self._found is None:
            keys = np.array(self._keys, np.uint64)
            order = np.argsort(keys, kind="stable")  # of two of a name the first
            self._found = keys[order], np.array(self._named, np.int64)[order]
        keys, sections = self._found
        for key in (_exact(document, name), _alike(document, name)):
            place = int(np.searchsorted(keys, np.uint64(key)))
            if place < len(keys) and int(keys[place]) == key:
                return int(sections[place])
        return NOWHERE

    @property
    def documents(self) -> Ints:
        """(sections,) the number of each one's document."""
        return np.array(self._documents, np.int64)

    @property
    def firsts(self) -> Ints:
        """(sections,) the number of each one's first passage."""
        return np.array(self._firsts, np.int64)

    def held_out(self) -> Flags:
        """(sections,) whether each is of a document that is held out."""
        held: Flags = np.array(list(self._held), bool)[self.documents]
        return held

    def like_held_out(self) -> Flags:
        """(sections,) whether each is held out, or has a passage with the words of one that is."""
        held = self.held_out()
        counts = np.array(self._counts, np.int64)
        of = np.repeat(np.arange(len(counts)), counts)
        texts = np.array(self._texts, np.uint64)
        same = np.isin(texts, np.unique(texts[held[of]]))
        like: Flags = held | (np.bincount(of[same], minlength=len(counts)) > 0)
        return like


def _exact(document: int, name: str) -> int:
    return digest(f"{document}={name.lower()}")


def _alike(document: int, name: str) -> int:
    return digest(f"{document}~{alike(name)}")
