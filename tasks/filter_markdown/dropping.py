"""Which documents are copies of others, and which are held out from training.

Of equal texts (white space aside) the first by path stays. A document is held out when a hash of its path
falls below the share asked for, so the same documents stay held out whatever else is added or removed.
Where copies are kept, all follow the first of them: a copy of a training document is never held out.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from tasks.errors import UserError
from tasks.filter_markdown import near_duplicates
from tasks.filter_markdown.settings import FilterSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What is remembered of a document that passed its own checks, to compare it with the others."""

    path: str
    digest: bytes
    signature: bytes | None = None


def digest_of(text: str) -> bytes:
    """Equal for texts that are the same but for white space."""
    return hashlib.sha256(" ".join(text.split()).encode()).digest()


def position_of(path: str) -> float:
    """Where `path` falls in [0, 1), evenly and the same on every machine: SHA-256, its first 8 bytes."""
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def copies(documents: Iterable[Fingerprint], settings: FilterSettings) -> dict[str, str]:
    """The reason by path of each document that is dropped as a copy of another."""
    if settings.duplicates == "keep":
        return {}
    first: set[bytes] = set()
    reasons: dict[str, str] = {}
    distinct: list[Fingerprint] = []
    for document in sorted(documents, key=lambda d: d.path):
        if document.digest in first:
            reasons[document.path] = "exact_duplicate"
        else:
            first.add(document.digest)
            distinct.append(document)
    if settings.duplicates == "near":
        signatures = [(d.path, d.signature) for d in distinct if d.signature is not None]
        similar = near_duplicates.similar_to_earlier(signatures, settings.near_duplicate_threshold)
        reasons |= dict.fromkeys(similar, "near_duplicate")
    return reasons


def held_out(documents: Iterable[Fingerprint], eval_fraction: float) -> set[str]:
    """The paths of the documents that are held out from training.

    A share above 0 always leaves something on both sides: the text that comes nearest is moved over.

    Raises:
        UserError: there is only one text, so it cannot be on both sides.
    """
    if eval_fraction == 0:
        return set()
    groups: dict[bytes, list[str]] = {}
    for document in sorted(documents, key=lambda d: d.path):
        groups.setdefault(document.digest, []).append(document.path)
    if len(groups) < 2:
        raise UserError(
            f"{len(groups)} text is left after filtering, and eval_fraction is {eval_fraction}: "
            "nothing would be left to train on. Set filter.eval_fraction=0 to train without a held-out part"
        )
    ranked = sorted(groups.values(), key=lambda paths: (position_of(paths[0]), paths[0]))
    chosen = sum(position_of(paths[0]) < eval_fraction for paths in ranked)
    chosen = min(max(chosen, 1), len(ranked) - 1)
    return {path for paths in ranked[:chosen] for path in paths}
