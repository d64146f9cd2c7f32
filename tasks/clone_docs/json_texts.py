"""Texts in JSON: a list, or a value a line (JSON Lines), of strings or of objects.

A record that holds no text is counted with its reason and costs no other. Every record has a path of its
own, `file.json#id` or `file.json#digest of the text`, with `~2`, `~3` behind it where an earlier one is
called so too: what is called alike need not be alike, and equal texts are for the filter to find.
"""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tasks.clone_docs.documents import Reason, shown_path
from tasks.clone_docs.patterns import open_regular
from tasks.errors import UserError
from tasks.front_matter import front_matter_end

WANTED = "give a JSON list, or JSON Lines, of strings or of objects with `content` or `text`"
LINES = (".jsonl", ".ndjson")
"""In files of such names the first line may be broken; otherwise it tells that lines are records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One record of the file."""

    path: str
    text: str = ""
    reason: Reason | None = None
    """Why there is no text."""
    complaint: str = ""
    """The reason in words."""
    ignored: int = 0
    """Members that are no title or no id, and were left out."""
    read_anew: bool = False
    """Whether an earlier version made another text of it, which was wrong."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A value of the file, and where it stands."""

    place: str
    value: Any = None
    reason: Reason | None = None
    complaint: str = ""


def read_texts(file: Path) -> list[Text]:
    """The records of a JSON file in its order, each with a path of its own.

    Raises:
        UserError: it is no JSON, or holds not one text; the message says what it holds and where.
    """
    texts = [_text_of(file.name, found) for found in _values(file)]
    if texts and (bad := bad_records(texts)).total() == len(texts):
        raise UserError(f"{file} holds no text ({counted(bad)}), for {texts[0].complaint}: {WANTED}")
    return told_apart(texts)


def bad_records(texts: list[Text]) -> Counter[Reason]:
    """How many records hold no text, by reason."""
    return Counter(text.reason for text in texts if text.reason)


def counted(bad: Counter[Reason]) -> str:
    """The counts by reason, for a message."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(bad.items()))


def told_apart(texts: list[Text]) -> list[Text]:
    """The same records; those whose path an earlier one has get another, which no other one has."""
    taken = {shown_path(text.path) for text in texts}
    times, apart = Counter[str](), list[Text]()
    for text in texts:
        shown = shown_path(text.path)
        times[shown] += 1
        if times[shown] == 1:
            apart.append(text)
            continue
        while (other := f"{shown}~{times[shown]}") in taken:
            times[shown] += 1
        taken.add(other)
        apart.append(replace(text, path=other, read_anew=True))
    return apart


def _values(file: Path) -> list[_Found]:
    with open_regular(file) as stream:
        raw = stream.read().removeprefix(b"\xef\xbb\xbf")
    whole = _loaded("the value", raw)
    if whole.reason is None:
        if isinstance(whole.value, list):
            return [_Found(f"item {index}", value) for index, value in enumerate(whole.value)]
        return [whole]
    lines = [_loaded(f"line {n}", line) for n, line in enumerate(raw.split(b"\n"), 1) if line.strip()]
    good = [line for line in lines if line.reason is None and not isinstance(line.value, list)]
    # A broken list can have lines that are JSON, but its first line is none.
    if not good or (good[0] is not lines[0] and file.suffix.lower() not in LINES):
        raise UserError(f"{file} {whole.complaint}")
    return lines


def _loaded(place: str, raw: bytes) -> _Found:
    try:
        return _Found(place, json.loads(raw.decode("utf-8")))
    except UnicodeDecodeError as error:
        return _Found(place, None, "not_utf8", f"is not UTF-8 (byte {error.start}): save it as UTF-8")
    except RecursionError:
        return _Found(place, None, "not_json", f"is nested too deeply: {WANTED}")
    except ValueError as error:
        return _Found(place, None, "not_json", f"is not JSON: {error}")


def _text_of(name: str, found: _Found) -> Text:
    value, place = found.value, found.place
    if isinstance(value, str) and found.reason is None:
        return Text(path=f"{name}#{_digest(value)}", text=value)
    if not isinstance(value, dict):
        reason = found.reason or ("null_record" if value is None else "wrong_type")
        complaint = f"{place} {found.complaint or f'is {_kind(value)}'}"
        return Text(path=f"{name}#{place.replace(' ', '-')}", reason=reason, complaint=complaint)
    identity, title = _name_of(value.get("id")), _name_of(value.get("title"))
    ignored = [identity, title].count(None) - [value.get("id"), value.get("title")].count(None)
    given = [value.get(member) for member in ("content", "text")]
    strings = [text for text in given if isinstance(text, str)]
    text = next((text for text in strings if text.strip()), strings[0] if strings else None)
    if text is None:
        members = ", ".join(sorted(value)) or "nothing"
        complaint = f"{place} has no text (its members: {members})"
        path = f"{name}#{identity or place.replace(' ', '-')}"
        return Text(path=path, reason="no_text", complaint=complaint, ignored=ignored)
    titled, moved = _with_title(text, title)
    return Text(
        path=f"{name}#{identity if identity is not None else _digest(titled)}",
        text=titled,
        ignored=ignored,
        read_anew=moved or (isinstance(given[0], str) and text is not given[0]),
    )


def _with_title(text: str, title: str | None) -> tuple[str, bool]:
    """The text with its title on top, behind the front matter; and whether there is any to be behind of."""
    end = front_matter_end(text)
    body = text[end:]
    if not title or body.lstrip().lstrip("#").lstrip().startswith(title):
        return text, bool(title and end)
    if end == 0:
        return f"# {title}\n\n{text}", False
    head = text[:end] if text[:end].endswith("\n") else text[:end] + "\n"
    return f"{head}\n# {title}\n\n{body.lstrip()}", True


def _digest(text: str) -> str:
    # A lone surrogate is legal JSON and no UTF-8: passed on, so that the filter counts it as such.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _name_of(value: Any) -> str | None:
    """A title or an id as a string; None where it is none."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    return "a number" if isinstance(value, int | float) else "a list"
