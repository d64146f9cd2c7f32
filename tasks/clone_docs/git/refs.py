"""Names of commits: which are allowed, and which commit one of them is in what a server lists."""

import difflib
import re

from tasks.errors import UserError

_FULL_ID = re.compile(r"[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?")
_SHORT_ID = re.compile(r"[0-9a-fA-F]{4,63}")


def check_ref(ref: str) -> None:
    """See that `ref` is a name and no option or expression.

    Raises:
        UserError: it is not.
    """
    if not ref or ref.startswith("-") or re.search(r"[\x00-\x20\x7f:?*\[\\]|\.\.|@\{", ref):
        raise UserError(f"source.ref {ref!r} is no branch, tag or commit: give its plain name")


def is_full_id(ref: str) -> bool:
    """Whether `ref` is a whole commit id, which no server needs to be asked for."""
    return _FULL_ID.fullmatch(ref) is not None


def choose_ref(printed: str, ref: str | None, place: str) -> tuple[str, str | None]:
    """The commit and full name of `ref` (None: the default branch) in what `ls-remote --symref` printed.

    Raises:
        UserError: it is not there; the message names what is.
    """
    refs: dict[str, str] = {}
    default = None
    for line in printed.splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: "):
            default = value.removeprefix("ref: ") if name == "HEAD" else default
        elif _FULL_ID.fullmatch(value):
            refs[name] = value
    if ref is None:
        if "HEAD" not in refs:
            raise UserError(f"{place} has no default branch (it may be empty): name one with --source.ref")
        return refs["HEAD"], default
    for name in (ref, f"refs/heads/{ref}", f"refs/tags/{ref}"):
        if name in refs and name.startswith("refs/"):
            # An annotated tag is an object of its own; `^{}` is the commit that it points to.
            return refs.get(f"{name}^{{}}", refs[name]), name
    if _SHORT_ID.fullmatch(ref):
        raise UserError(
            f"{ref!r} is no branch or tag of {place}, and a server does not look up shortened commits: "
            "give all 40 digits, or a branch"
        )
    raise UserError(f"{ref!r} is no branch or tag of {place}; {_nearest(ref, refs)}")


def _nearest(ref: str, refs: dict[str, str]) -> str:
    names = [
        name.removeprefix("refs/heads/").removeprefix("refs/tags/")
        for name in refs
        if name.startswith(("refs/heads/", "refs/tags/")) and not name.endswith("^{}")
    ]
    if not names:
        return "it has none (it may be empty)"
    if close := difflib.get_close_matches(ref, names, n=5, cutoff=0.6):
        return "did you mean " + " or ".join(close) + "?"
    rest = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return "it has " + ", ".join(names[:10]) + rest
