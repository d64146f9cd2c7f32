"""How Git may reach an address: its configuration, its environment and its secrets.

All of it reaches Git through the environment of its commands only: an argument would show in the process
list, a configuration file would stay on the disk. A token is given by a credential helper that is bound
to one host, so that a redirect to another host never carries it along (an `http.extraHeader` would), and
other helpers are switched off then, so that none writes it down. Which hosts may have it says `tokens.py`.
"""

import base64
import os
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, urlsplit

from tasks.clone_docs.git.tokens import Token, addresses_of, find_token, is_this_machine
from tasks.clone_docs.git.urls import GitAddress, parse_address
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError, scrubbed

STALL_SECONDS = 120
"""A web transfer that moves no byte for so long has failed."""
SHORTEST_TOKEN = 8
"""A user name without a password may be a token, which a shorter one is not."""

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
    withheld: str | None = None
    """What to tell a user whose token the host did not get, where there is one."""

    def scrub(self, text: str) -> str:
        """`text` without the secrets, and without characters that move a terminal's cursor."""
        return "".join(c for c in scrubbed(text, self.secrets) if c.isprintable() or c == "\n")


def local_access() -> GitAccess:
    """Access to this machine's disk alone: nothing is ever fetched."""
    return GitAccess(address=None, environment=_environment({}, protocols="none"))


def remote_access(address: GitAddress, settings: SourceSettings) -> GitAccess:
    """Access to `address`, with the token that the URL, a Prefect block or GIT_TOKEN gives.

    Raises:
        UserError: the credentials block does not exist, the host may not have its token, or it is no token.
        NetworkError: the Prefect server does not say which deployment this is.
    """
    config = {
        "remote.origin.url": address.url,
        "http.lowSpeedLimit": "1",
        "http.lowSpeedTime": str(STALL_SECONDS),
        # A repository that has moved is found; nothing that follows is sent on to anywhere else.
        "http.followRedirects": "initial",
    }
    extra: dict[str, str] = {}
    parts = urlsplit(address.url)
    token = _token(address, parts, settings)
    username = address.username or os.environ.get("GIT_USERNAME") or "x-access-token"
    if (password := token.value) is not None:
        if not (username + password).isprintable():
            # A line feed would add a line of its own to what the helper answers.
            raise UserError(f"the user name or token for {address.url} holds a line feed or the like")
        config["credential.helper"] = ""
        config[f"credential.{parts.scheme}://{parts.netloc}.helper"] = _HELPER
        config |= _staying_here(parts) if address.protocol == "http" else {}
        extra = {"DOCS_MLM_GIT_USERNAME": username, "DOCS_MLM_GIT_PASSWORD": password}
    elif address.username and address.protocol in ("http", "https"):
        config[f"credential.{address.url}.username"] = address.username
    protocols = "file" if address.is_local else "https:http:ssh:git"
    return GitAccess(
        address=address,
        environment=_environment(config, protocols=protocols) | extra,
        secrets=_forms(address, username, password),
        withheld=token.withheld,
    )


def _token(address: GitAddress, parts: SplitResult, settings: SourceSettings) -> Token:
    """What may be sent to `address`: over plain http anybody on the way could read it."""
    if address.protocol == "http" and not is_this_machine(parts.hostname or ""):
        if address.password:
            raise UserError(f"a password would travel unencrypted to {address.url}: use https://")
        return Token(withheld=f"a token is not sent unencrypted to {parts.hostname}: use https://")
    if address.protocol not in ("https", "http"):
        return Token()
    return Token(value=address.password) if address.password else find_token(address, settings)


def _staying_here(parts: SplitResult) -> dict[str, str]:
    """Settings that keep what is sent to this machine on it: no proxy, and no other answer to the name."""
    name, port = parts.hostname or "", parts.port or 80
    here = addresses_of(name)[0]
    shown = f"[{here}]" if ":" in here else here
    kept = {f"http.{parts.scheme}://{parts.netloc}.proxy": ""}
    return kept if name == here else kept | {"http.curloptResolve": f"{name}:{port}:{shown}"}


def _forms(address: GitAddress, username: str, password: str | None) -> tuple[str, ...]:
    """All forms in which Git or a server could repeat a secret, the longest first."""
    secrets = {password} if password else set[str]()
    if address.protocol in ("https", "http") and len(address.username or "") >= SHORTEST_TOKEN:
        secrets.add(str(address.username))
    forms = secrets | {quote(secret, safe=safe) for secret in secrets for safe in ("", "/")}
    if password:
        forms.add(base64.b64encode(f"{username}:{password}".encode()).decode())
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


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
    """See that the credentials block of a source is there, and that its token may go to the source's host.

    The Git server is not asked.

    Raises:
        UserError: it is not so; the message names the block and what to set.
        NetworkError: the Prefect server does not say which deployment this is.
    """
    if source.url is not None:
        remote_access(parse_address(source.url), source)
    return source
