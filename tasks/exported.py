"""Files of texts that docs-mlm exported, and how such a file says so.

It is one JSON list of strings, as anybody reads it. Behind the list, where JSON allows white space, stands a
line of spaces and tabs: a seal, made of the list's bytes. It goes wherever the file goes, which a second file
beside it would not, and a list that was changed afterwards does not fit it any more. It says too whether the
texts were cleaned, so that nobody cleans them once more.
"""

import hashlib
from pathlib import Path
from typing import BinaryIO, Literal

from tasks.errors import UserError

Form = Literal["text", "raw"]
"""What became of the texts before: they were cleaned, or they are the Markdown that they were."""
FORMS: tuple[Form, ...] = ("text", "raw")
BITS = 128
"""Characters of a seal, without the line end."""
_CHUNK = 1 << 20
_DRAWN = str.maketrans("01", " \t")


class Sealer:
    """Takes the bytes of a list as they are written, and makes the seal for them."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def write(self, stream: BinaryIO, text: str) -> None:
        """Write a piece of the list."""
        written = text.encode()
        stream.write(written)
        self.add(written)

    def add(self, written: bytes) -> None:
        """Count in what is written."""
        self._digest.update(written)

    def seal(self, form: Form) -> bytes:
        """The line that ends the file."""
        whole = hashlib.sha256(f"docs-mlm exported {form} ".encode() + self._digest.digest()).digest()
        bits = int.from_bytes(whole[: BITS // 8], "big")
        return f"{bits:0{BITS}b}\n".translate(_DRAWN).encode()


def exported_form(file: Path) -> Form | None:
    """The form of the texts in a file that docs-mlm exported; None for any other file."""
    sealer = Sealer()
    with file.open("rb") as stream:
        left = file.stat().st_size - BITS - 1
        while left > 0 and (chunk := stream.read(min(left, _CHUNK))):
            sealer.add(chunk)
            left -= len(chunk)
        found = stream.read(BITS + 2)
    return next((form for form in FORMS if found == sealer.seal(form)), None)


def check_replaceable(file: Path) -> None:
    """See that an export to `file` takes nothing from anybody.

    Raises:
        UserError: there is something that docs-mlm did not write, or that was changed since.
    """
    try:
        free = not file.exists() or (file.is_file() and exported_form(file) is not None)
    except OSError as error:
        raise UserError(
            f"publish.export_texts cannot be written to {file} ({error.strerror or error}): "
            "choose a file in a folder that you can write to"
        ) from error
    if not free:
        raise UserError(
            f"publish.export_texts is {file}, which is there and is no file that docs-mlm exported, or was "
            "changed since: give a new path, or move what is there away"
        )
