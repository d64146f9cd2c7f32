"""Which hosts may have the token of the environment (GIT_TOKEN) or of a Prefect Secret block.

Whoever fills in a form names the host, and so could send the platform's token to a server of their own.
GIT_TOKEN_HOSTS, beside the token in the worker's environment, names the hosts that may have it:
`git.example.com, git.example.com:8443, *.example.org`; a host without a port is meant at its protocol's own.
Where it is not set, an ad hoc run gives the token to the host that its user typed, and a deployment's run to
the hosts of the deployment's own default parameters alone.
"""

import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, cast
from urllib.parse import urlsplit

from tasks.clone_docs.git.urls import GitAddress, parse_address, safe_name
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError
from tasks.stage.deployment import deployment_defaults

TOKEN = "GIT_TOKEN"
HOSTS = "GIT_TOKEN_HOSTS"
_PORTS = {"https": 443, "http": 80}
_NAMED = re.compile(r"(\*\.)?(\[[0-9a-f:.]+\]|[a-z0-9_][a-z0-9._-]*?)\.?(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """The token for one address, or why there is none."""

    value: str | None = field(default=None, repr=False)
    withheld: str | None = None
    """What to tell a user whose token the host did not get."""


def find_token(address: GitAddress, settings: SourceSettings) -> Token:
    """The token of the block that is named, else of the environment, if the host of `address` may have it.

    Raises:
        UserError: the host may not have the block's token, there is no such block, or GIT_TOKEN_HOSTS is no
            list of hosts.
        NetworkError: the Prefect server does not say which deployment this is.
    """
    block, value = settings.credentials_block, os.environ.get(TOKEN, "").strip()
    if block is None and not value:
        return Token()
    if why := why_withheld(address):
        if block is not None:
            raise UserError(f"the token of source.credentials_block {block!r} {why}")
        return Token(withheld=f"{TOKEN} {why}")
    return Token(value=value if block is None else _of_block(block) or None)


def why_withheld(address: GitAddress) -> str | None:
    """Why the host of `address` may not have the token, and the way out; None where it may.

    Raises:
        UserError: GIT_TOKEN_HOSTS is no list of hosts.
        NetworkError: the Prefect server does not say which deployment this is.
    """
    host, port = _place(address)
    shown = host if port == _PORTS[address.protocol] else f"{host}:{port}"
    way_out = f"to give it to {shown}, name that in {HOSTS} in the worker's environment"
    if named := os.environ.get(HOSTS, "").strip():
        if any(_is_meant(entry, host, port, address.protocol) for entry in _entries(named)):
            return None
        return f"is not given to {shown}, for {HOSTS} names other hosts ({named}): {way_out} too"
    defaults = deployment_defaults()
    if defaults is None or (host, port) in (known := list(_default_places(defaults))):
        return None
    hosts = ", ".join(sorted({host for host, _ in known})) or "none"
    return (
        f"is not given to {shown}, for {HOSTS} is not set, and then a deployment's run gives it to the hosts "
        f"of the deployment's own default parameters alone ({hosts}): {way_out}"
    )


def is_this_machine(host: str) -> bool:
    """Whether what is sent to `host` stays on this machine: every address that it has is a loopback one."""
    found = addresses_of(host)
    return bool(found) and all(ip_address(address).is_loopback for address in found)


def addresses_of(host: str) -> list[str]:
    """The addresses that `host` is, or has in the network of this machine; none where it is not known."""
    try:
        return [str(ip_address(host))]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return []
    return sorted({str(place[0]).partition("%")[0] for *_, place in found})


def _place(address: GitAddress) -> tuple[str, int]:
    parts = urlsplit(address.url)
    return (parts.hostname or "").removesuffix("."), parts.port or _PORTS[address.protocol]


def _entries(named: str) -> Iterator[re.Match[str]]:
    for entry in filter(None, (part.strip().lower() for part in named.split(","))):
        found = _NAMED.fullmatch(entry)
        if found is None:
            raise UserError(
                f"{HOSTS} holds {safe_name(entry)!r}, which is no host: give hosts as in "
                "git.example.com, git.example.com:8443, *.example.org"
            )
        yield found


def _is_meant(entry: re.Match[str], host: str, port: int, protocol: str) -> bool:
    wildcard, name, its_port = entry[1], entry[2].strip("[]"), entry[3]
    if port != int(its_port or _PORTS[protocol]):
        return False
    return host.endswith(f".{name}") if wildcard else host == name


def _default_places(parameters: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Host and port of each source that a deployment's default parameters name."""
    sources = [parameters.get("source"), *_listed(parameters.get("sources"))]
    for source in sources:
        url = source.get("url") if isinstance(source, dict) else None
        if not isinstance(url, str):
            continue
        try:
            address = parse_address(url)
        except UserError:
            continue
        if address.protocol in _PORTS:
            yield _place(address)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _of_block(name: str) -> str:
    from prefect.blocks.system import Secret

    try:
        # Said to be synchronous: a flow's parameters are checked inside whatever loop the caller has.
        block = cast("Secret[Any]", Secret.load(name, _sync=True))  # type: ignore[call-arg]
    except ValueError as error:
        raise UserError(
            f"there is no Secret block {name!r}: create it in the Prefect UI, "
            "or set GIT_TOKEN and leave source.credentials_block out"
        ) from error
    return str(block.get()).strip()
