"""Where a store lies: what a person types, and the URL that names the same place to every program.

A folder's URL is written as RFC 8089 says, with everything but plain characters escaped, and read the
same way. A blank, `#` or `?` that a person typed means that character, for no file's URL has a query.
"""

import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

from tasks.errors import UserError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_WAYS = "use a folder, file:///folder or s3://bucket/prefix"


def parse_store(url: str) -> tuple[str, str]:
    """`file` and the folder, or `s3` and `bucket/prefix`.

    Raises:
        UserError: it is neither, or names no place on this machine.
    """
    scheme = _SCHEME.match(url)
    if scheme is None:
        return "file", _folder(os.path.expanduser(url), url)  # noqa: PTH111 - `~x` may be no user's
    protocol, rest = scheme[1].lower(), url[len(scheme[1]) + 1 :]
    if protocol == "file":
        return "file", _folder(_path_of(rest, url), url)
    if protocol != "s3":
        raise UserError(f"store {url!r} has the protocol {protocol!r}: {_WAYS}")
    if not rest.startswith("//") or not rest.strip("/"):
        raise UserError(f"store {url!r} names no bucket: use s3://bucket/prefix")
    return "s3", rest.strip("/")


def folder_url(folder: str) -> str:
    """The URL of a folder's whole path."""
    return Path(folder).as_uri()


def shown(uri: str) -> str:
    """A URI as a person can use it in a shell or a program: a folder as its path, all else as it is."""
    return parse_store(uri)[1] if uri.startswith("file:") else uri


def _path_of(rest: str, url: str) -> str:
    """The path in what follows `file:`."""
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host == "~":
            return os.path.expanduser(rest[2:])  # noqa: PTH111 - a path is no text yet
        if host.lower() not in ("", "localhost"):
            raise UserError(
                f"store {url!r} is on the machine {host!r}, which cannot be reached so: "
                f"use file:///{host}/… for a folder of this machine, or mount the other's here"
            )
        rest = slash + path
    if not rest:
        raise UserError(f"store {url!r} names no folder: {_WAYS}")
    try:
        return os.fsdecode(unquote_to_bytes(os.fsencode(rest)))
    except UnicodeEncodeError as error:
        raise UserError(f"store {url!r} holds what no file's name can: {_WAYS}") from error


def _folder(path: str, url: str) -> str:
    if not path:
        raise UserError(f"store {url!r} names no folder: {_WAYS}")
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise UserError(f"store {url!r} holds what no file's name can: {_WAYS}") from error
    if "\0" in path:
        raise UserError(f"store {url!r} holds a null byte, which no file's name can: {_WAYS}")
    return str(Path(path).absolute())
