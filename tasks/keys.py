"""Content keys: what a stage's result is called, from what it was made of.

A key is the SHA-256 of the parents' keys, the settings that change the result and the stage's version,
cut to 16 bytes (collisions of chance stay out of reach, names stay readable). No folder, secret, worker
count or log setting is in a key, so a result made on one machine is found from every other.
"""

import hashlib
import json
from typing import Any

STAGE_VERSIONS = {
    "documents": 1,
    "corpus": 1,
    "dataset": 1,
    "tokenized": 2,
    "training": 2,
    "models": 1,
}
"""Bump a stage's number when its code makes another result from the same input. Keys order the pipeline."""

STAGES = tuple(STAGE_VERSIONS)


def content_key(stage: str, **ingredients: Any) -> str:
    """The key (32 hexadecimal digits) of a stage's result made of JSON-ready `ingredients`."""
    recipe = {"stage": stage, "version": STAGE_VERSIONS[stage], **ingredients}
    text = json.dumps(recipe, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
