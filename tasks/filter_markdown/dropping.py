"""Which documents are copies of others, and which are held out from training.

Of equal texts (white space aside) the first by path stays; of near copies too, if that is asked for. A
document is held out when a hash of its path falls below the share asked for, so the same documents stay held
out whatever else is added or removed. Near copies all follow the first of them by path: what is held out has
no near copy among what is trained on, or its loss would be one of memory.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.errors import UserError
from tasks.filter_markdown.groups import Places, find_groups
from tasks.filter_markdown.near_duplicates import DIGEST_BYTES, PERMUTATIONS, Signatures
from tasks.filter_markdown.settings import FilterSettings

Flags = npt.NDArray[np.bool_]
EXACT, NEAR = "exact_duplicate", "near_duplicate"
SPLITS = TRAIN, EVAL = "train", "eval"
EXAMPLES = 5
"""Groups, and paths of each, that are shown."""


class Fingerprints:
    """What is remembered of the documents that passed their own checks, to compare them: 150 bytes each."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._digests, self._signatures = bytearray(), bytearray()

    def add(self, path: str, digest: bytes, signature: bytes) -> None:
        """Remember one more document."""
        self.paths.append(path)
        self._digests += digest
        self._signatures += signature

    def __len__(self) -> int:
        return len(self.paths)

    def digests(self) -> npt.NDArray[np.void]:
        """(documents,) equal for equal texts."""
        return np.frombuffer(self._digests, f"V{DIGEST_BYTES}")

    def signatures(self) -> Signatures:
        """(documents, numbers), alike for similar texts."""
        return np.frombuffer(self._signatures, np.uint8).reshape(-1, PERMUTATIONS)


@dataclass(frozen=True, slots=True)
class Sorted:
    """What becomes of the documents, in the order in which they came."""

    reasons: list[str | None]
    """Why each is dropped; None for those that stay."""
    together: Places
    """By document the place of the first by path of those that stay on one side with it."""
    near: Places
    """By document the place of the first by path of its near copies."""

    def staying(self) -> Places:
        """The places of the documents that stay."""
        return np.flatnonzero([reason is None for reason in self.reasons])

    def near_groups(self) -> list[Places]:
        """The places of near copies of one another, dropped exact ones aside; the largest groups first."""
        places = np.flatnonzero([reason != EXACT for reason in self.reasons])
        order = places[np.argsort(self.near[places], kind="stable")]
        groups = np.split(order, np.flatnonzero(np.diff(self.near[order])) + 1)
        return sorted((group for group in groups if len(group) > 1), key=len, reverse=True)


def position_of(path: str) -> float:
    """Where `path` falls in [0, 1), evenly and the same on every machine: SHA-256, its first 8 bytes."""
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def sort_out(documents: Fingerprints, settings: FilterSettings) -> Sorted:
    """Find the copies among the documents, those that are dropped and those that stay together."""
    by_path = np.array(sorted(range(len(documents)), key=documents.paths.__getitem__), np.int64)
    equal = firsts_of_equal(documents.digests()[by_path])
    distinct = np.flatnonzero(equal == np.arange(len(equal)))
    found = find_groups(documents.signatures()[by_path[distinct]], settings.near_duplicate_threshold)
    near, together = equal.copy(), equal.copy()
    for groups, of in ((near, found.near), (together, found.together)):
        groups[distinct] = distinct[of]
        groups[:] = groups[equal]
    reasons: list[str | None] = [None] * len(documents)
    if settings.duplicates != "keep":
        for place in by_path[equal != np.arange(len(equal))]:
            reasons[place] = EXACT
    if settings.duplicates == "near":
        for place in by_path[distinct[found.near != np.arange(len(distinct))]]:
            reasons[place] = NEAR
    # From places in the order of the paths to places in the order in which they came.
    back = np.empty_like(by_path)
    back[by_path] = np.arange(len(by_path))
    return Sorted(reasons, by_path[together][back], by_path[near][back])


def firsts_of_equal(digests: npt.NDArray[np.void]) -> Places:
    """(documents,) the place of the first with the same digest."""
    _, first, number = np.unique(digests, return_index=True, return_inverse=True)
    return first[number]


def held_out(
    paths: Sequence[str], together: Places, eval_fraction: float, asked: Flags | None = None
) -> Flags:
    """(documents,) whether each is held out from training.

    A group with more documents than the share asked for trains, whatever its path says. A share above 0
    always leaves something on both sides: the group that comes nearest is moved over.

    Args:
        paths: of the documents that stay.
        together: by document, what is equal for those of one group.
        asked: by document, whether it is held out by itself; decided by its path if None. A group follows
            its first document by path.

    Raises:
        UserError: there is only one group, so it cannot be on both sides.
    """
    if eval_fraction == 0:
        return np.zeros(len(paths), bool)
    firsts, group, sizes = _groups(paths, together)
    if len(firsts) < 2:
        raise UserError(one_group(len(paths), eval_fraction))
    positions = np.array([position_of(paths[place]) for place in firsts])
    chosen = (positions < eval_fraction) if asked is None else asked[firsts]
    fitting = (sizes == 1) | (sizes <= eval_fraction * len(paths))
    chosen &= fitting
    if not chosen.any():
        # The smallest, where none fits: a large group would leave little to train on.
        candidates = np.flatnonzero(fitting if fitting.any() else sizes == sizes.min())
        chosen[candidates[np.argmin(positions[candidates])]] = True
    if chosen.all():
        chosen[np.argmax(positions)] = False
    return chosen[group]


def _groups(paths: Sequence[str], together: Places) -> tuple[Places, Places, Places]:
    """The place of each group's first document by path, each document's group, and each group's size."""
    _, group, sizes = np.unique(together, return_inverse=True, return_counts=True)
    firsts = np.full(len(sizes), -1)
    for place in sorted(range(len(paths)), key=paths.__getitem__, reverse=True):
        firsts[group[place]] = place
    return firsts, group, sizes


def one_group(documents: int, eval_fraction: float) -> str:
    """What to tell a user of whose documents none can be held out."""
    of = "1 text is" if documents == 1 else f"{documents} texts, all near copies of one another, are"
    way = "" if documents == 1 else ", or give filter.near_duplicate_threshold nearer to 1"
    return (
        f"{of} left after filtering, and eval_fraction is {eval_fraction}: "
        f"nothing would be left to train on. Set filter.eval_fraction=0 to train without a held-out part{way}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What becomes of every document, and what was found on the way; see `Corpus`."""

    fates: list[str]
    """By document, in the order in which they came: its split, or why it is dropped."""
    kept: int
    near_groups: int
    near_documents: int
    largest_group: int
    examples: list[dict[str, Any]]
    """The largest groups of near copies: how many `documents`, and some of their `paths`."""


def decide(
    documents: Fingerprints, settings: FilterSettings, asked: Flags | None = None, across: str = ""
) -> Decided:
    """Which documents stay, and on which side.

    Args:
        asked: by document, whether it is held out by itself; decided by its path if None.
        across: ends the reasons.

    Raises:
        UserError: all that stay are copies of one another, so that none can be held out.
    """
    found = sort_out(documents, settings)
    staying, paths = found.staying(), documents.paths
    fates = [TRAIN if reason is None else reason + across for reason in found.reasons]
    together = found.together[staying]
    if len(staying):
        wanted = None if asked is None else asked[staying]
        held = held_out([paths[place] for place in staying], together, settings.eval_fraction, wanted)
        for place in staying[held]:
            fates[place] = EVAL
    near = found.near_groups()
    return Decided(
        fates=fates,
        kept=len(staying),
        near_groups=len(near),
        near_documents=sum(map(len, near)),
        largest_group=int(np.unique(together, return_counts=True)[1].max(initial=0)),
        examples=[
            {"documents": len(group), "paths": sorted(paths[place] for place in group)[:EXAMPLES]}
            for group in near[:EXAMPLES]
        ],
    )


def sides_warning(kept: int, held: int, largest: int, eval_fraction: float) -> str | None:
    """What to tell of a split that large groups of near copies have moved far from what was asked for."""
    asked = eval_fraction * kept
    by_chance = largest < 2 or largest < asked / 2
    if not asked or by_chance or (largest <= asked and asked / 2 <= held <= 2 * asked):
        return None
    return (
        f"the largest group of near copies has {largest:,} of {kept:,} documents, and a group is never "
        f"divided: held out are {held:,} ({held / kept:.1%}), where filter.eval_fraction asks for "
        f"{eval_fraction:.1%}. filter.duplicates=near keeps one of each group; "
        "filter.near_duplicate_threshold nearer to 1 makes smaller groups"
    )
