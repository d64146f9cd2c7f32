"""Text of another kind: from a folder, a JSON file or a data set of the hub."""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from tasks.errors import UserError, first_line
from tasks.evaluate_model.given import NotMeasured
from tasks.evaluate_model.sampling import Document, beginning, rough_tokens
from tasks.evaluate_model.settings import EvaluateSettings
from tasks.retrieval.probe import drawn

ENDINGS = (".txt", ".md")
HUB = re.compile(r"[\w.-]+(?:/[\w.-]+)?(?::[\w.-]+)?:[\w.-]+:[\w.-]+")
"""NAME:SPLIT:COLUMN, or NAME:CONFIGURATION:SPLIT:COLUMN where the data set has several."""
SHUFFLED = 1_000
"""Rows of a hub data set among which the next one is drawn."""
MOST_OF_HUB = 1_000_000
"""Tokens that are read of a hub data set where nothing else bounds them."""
_FORMS = "a folder of .txt or .md files, a JSON file of texts, or a hub data set as NAME:SPLIT:COLUMN"


def check_settings(settings: EvaluateSettings) -> None:
    """See that the general texts can be what they are said to be; the hub is not asked.

    Raises:
        UserError: they are a folder without texts, a JSON file of something else, or nothing at all.
    """
    given = settings.general_texts
    if given is None or not settings.enabled:
        return
    place = Path(given).expanduser()
    if place.is_dir():
        if not _files(place):
            raise UserError(f"evaluate.general_texts {given!r} has no .txt or .md file: give {_FORMS}")
    elif place.is_file():
        _of_json(place, given)
    elif not HUB.fullmatch(given):
        raise UserError(f"evaluate.general_texts {given!r} is not there: give {_FORMS}")


def fingerprint(settings: EvaluateSettings) -> str | None:
    """The digest of general texts that lie on this machine; None for those of the hub, or none."""
    place = Path(settings.general_texts or "").expanduser()
    if settings.general_texts is None or not place.exists():
        return None
    digest = sha256()
    for file in _files(place) if place.is_dir() else [place]:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(place)} {len(content)}\n".encode("utf-8", "surrogateescape"))
        digest.update(content)
    return digest.hexdigest()


def read_general(given: str, most: int | None, seed: int) -> list[Document]:
    """A seeded sample of the texts, with `most` tokens; the last one is cut.

    Raises:
        NotMeasured: they cannot be read.
        UserError: they are not what they are said to be.
    """
    place = Path(given).expanduser()
    named: Iterator[tuple[str, str]]
    if place.is_dir():
        files = {str(file.relative_to(place)): file for file in _files(place)}
        named = (
            (name, files[name].read_text("utf-8", errors="replace"))
            for name in sorted(files, key=lambda name: drawn(name, seed))
        )
    elif place.is_file():
        texts = dict(enumerate(_of_json(place, given)))
        named = ((str(n), texts[n]) for n in sorted(texts, key=lambda n: drawn(str(n), seed)))
    elif HUB.fullmatch(given):
        named = _of_hub(given, seed)
        most = MOST_OF_HUB if most is None else most
    else:
        raise NotMeasured(f"{given} is not there any more")
    return list(_until(named, most))


def _until(named: Iterator[tuple[str, str]], most: int | None) -> Iterator[Document]:
    left = most
    for name, text in named:
        if left is not None and left <= 0:
            return
        tokens = rough_tokens(text)
        if not tokens:
            continue
        fits = left is None or tokens <= left
        yield Document(name, text if fits else beginning(text, left or 0))
        left = None if left is None else left - tokens


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix in ENDINGS and file.is_file())


def _of_json(file: Path, given: str) -> list[str]:
    try:
        values: Any = json.loads(file.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(
            f"evaluate.general_texts {given!r} is not JSON ({first_line(error)}): give {_FORMS}"
        ) from error
    texts: list[Any] = [one.get("text") if isinstance(one, dict) else one for one in values or ()]
    if not isinstance(values, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise UserError(
            f'evaluate.general_texts {given!r} must be a JSON list of strings, or of objects with a "text"'
        )
    return texts


def _of_hub(given: str, seed: int) -> Iterator[tuple[str, str]]:
    """Rows of a data set, drawn while they come."""
    from datasets import load_dataset
    from httpx import HTTPError
    from httpx2 import HTTPError as HubError

    *name, split, column = given.split(":")
    try:
        rows = load_dataset(*name, split=split, streaming=True)
        for number, row in enumerate(rows.shuffle(seed=seed, buffer_size=SHUFFLED)):
            yield str(number), str(row[column])
    except KeyError as error:
        raise NotMeasured(f"{given}: its rows have no column {error}") from error
    except (OSError, ValueError, RuntimeError, HTTPError, HubError) as error:
        raise NotMeasured(f"{given} cannot be had of the hub: {first_line(error)}") from error
