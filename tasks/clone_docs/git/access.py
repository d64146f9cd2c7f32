"""How Git may reach an address: its configuration, its environment and its secrets.

All of it reaches Git through the environment of its commands only: an argument would show in the process
list, a configuration file would stay on the disk. A token is given by a credential helper that is bound
to one host, so that a redirect to another host never carries it along (an `http.extraHeader` would), and
other helpers are switched off then, so that none writes it down.
"""

import os
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from tasks.clone_docs.git.urls import GitAddress, parse_address
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError

STALL_SECONDS = 120
"""A web transfer that moves no byte for so long has failed."""

_HELPER = (
    '!f() { test "$1" = get && '
    'printf "username=%s\\npassword=%s\\n" "$DOCS_MLM_GIT_USERNAME" "$DOCS_MLM_GIT_PASSWORD"; }; f'
)
# Slips in the objects of honest old repositories, harmless to a reader of blobs.
_TOLERATED = (
    "badDate badDateOverflow badEmail badName badTimezone gitmodulesUrl missingEmail missingNameBeforeEmail"
    " missingSpaceBeforeDate missingSpaceBeforeEmail zeroPaddedDate zeroPaddedFilemode"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitAccess:
    """How Git may reach one address: the environment of its commands, and the secrets in it."""

    address: GitAddress | None
    """None where only this machine's disk is read."""
    environment: dict[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def scrub(self, text: str) -> str:
        """`text` without the secrets, and without characters that move a terminal's cursor."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return "".join(c for c in text if c.isprintable() or c == "\n")


def local_access() -> GitAccess:
    """Access to this machine's disk alone: nothing is ever fetched."""
    return GitAccess(address=None, environment=_environment({}, protocols="none"))


def remote_access(address: GitAddress, settings: SourceSettings) -> GitAccess:
    """Access to `address`, with the token that the URL, a Prefect block or GIT_TOKEN gives.

    Raises:
        UserError: the credentials block does not exist, or the token is no token.
    """
    config = {
        "remote.origin.url": address.url,
        "http.lowSpeedLimit": "1",
        "http.lowSpeedTime": str(STALL_SECONDS),
    }
    extra: dict[str, str] = {}
    host = urlsplit(address.url).hostname or ""
    password = None
    # Over plain http anybody on the way could read it.
    if address.protocol == "https" or (address.protocol == "http" and _is_this_machine(host)):
        password = address.password or _token(settings)
    elif address.password:
        raise UserError(f"a password would travel unencrypted to {address.url}: use https://")
    if password is not None:
        parts = urlsplit(address.url)
        username = address.username or os.environ.get("GIT_USERNAME") or "x-access-token"
        if not (username + password).isprintable():
            # A line feed would add a line of its own to what the helper answers.
            raise UserError(f"the user name or token for {address.url} holds a line feed or the like")
        config["credential.helper"] = ""
        config[f"credential.{parts.scheme}://{parts.netloc}.helper"] = _HELPER
        extra = {"DOCS_MLM_GIT_USERNAME": username, "DOCS_MLM_GIT_PASSWORD": password}
    elif address.username and address.protocol in ("http", "https"):
        config[f"credential.{address.url}.username"] = address.username
    protocols = "file" if address.is_local else "https:http:ssh:git"
    return GitAccess(
        address=address,
        environment=_environment(config, protocols=protocols) | extra,
        secrets=(password,) if password else (),
    )


def _is_this_machine(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _token(settings: SourceSettings) -> str | None:
    token = os.environ.get("GIT_TOKEN", "")
    if settings.credentials_block is not None:
        from prefect.blocks.system import Secret

        try:
            # Said to be synchronous: a flow's parameters are checked inside whatever loop the caller has.
            block = cast("Secret[Any]", Secret.load(settings.credentials_block, _sync=True))  # type: ignore[call-arg]
        except ValueError as error:
            raise UserError(
                f"there is no Secret block {settings.credentials_block!r}: create it in the Prefect UI, "
                "or set GIT_TOKEN and leave source.credentials_block out"
            ) from error
        token = str(block.get())
    return token.strip() or None


def _environment(config: dict[str, str], *, protocols: str) -> dict[str, str]:
    config = {
        "core.hooksPath": os.devnull,
        "protocol.version": "2",
        "gc.auto": "0",
        "maintenance.auto": "false",
        "fetch.fsckObjects": "true",
        "fetch.unpackLimit": "1",
        "advice.detachedHead": "false",
        **{f"fetch.fsck.{name}": "ignore" for name in _TOLERATED.split()},
        **config,
    }
    # What the user passes in the same way (a proxy, a certificate) stays, ours follows.
    count = os.environ.get("GIT_CONFIG_COUNT", "0")
    first = int(count) if count.isdecimal() else 0
    values = {"GIT_CONFIG_COUNT": str(first + len(config))}
    for index, (name, value) in enumerate(config.items(), start=first):
        values[f"GIT_CONFIG_KEY_{index}"] = name
        values[f"GIT_CONFIG_VALUE_{index}"] = value
    return values | {
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GCM_INTERACTIVE": "never",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
    }


def check_source_secret(source: SourceSettings) -> SourceSettings:
    """See that the credentials block of a source is there; does not ask the Git server.

    Raises:
        UserError: it is missing; the message names it.
    """
    if source.url is not None:
        remote_access(parse_address(source.url), source)
    return source
