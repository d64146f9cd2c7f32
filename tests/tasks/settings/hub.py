"""A model hub without a network: its client's requests are answered from folders, one for each commit."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import httpx2
import huggingface_hub
import pytest
from huggingface_hub.utils._http import default_client_factory

NAME = "acme/tiny-bert"
_ASKED = re.compile(rf"/api/models/{NAME}/(?P<what>revision|tree)/(?P<revision>[^/]+)")
_FILE = re.compile(rf"/{NAME}/resolve/(?P<revision>[^/]+)/(?P<file>[^/]+)")


def commit_of(folder: Path) -> str:
    """The id of the commit whose files a folder holds."""
    return sha256(folder.name.encode()).hexdigest()[:40]


@contextmanager
def hub(revisions: Mapping[str, Path], cache: Path) -> Iterator[list[str]]:
    """Within, the hub has the model `NAME` in these revisions, and what is downloaded goes to `cache`.

    Yields:
        The paths that were asked for, filled on the way.
    """
    commits = {name: folder for folder in revisions.values() for name in (commit_of(folder),)}
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        found = _ASKED.fullmatch(request.url.path) or _FILE.fullmatch(request.url.path)
        folder = (commits | revisions).get(found["revision"]) if found else None
        if found is None or folder is None:
            return httpx2.Response(404, headers={"X-Error-Code": "RevisionNotFound"})
        head = {"X-Repo-Commit": commit_of(folder)}
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        if "file" not in found.groupdict():
            listed = [
                {"type": "file", "path": name, "size": len(content), "oid": sha256(content).hexdigest()[:40]}
                for name, content in files.items()
            ]
            siblings = [{"rfilename": name} for name in files]
            info = {"id": NAME, "sha": commit_of(folder), "private": False, "tags": [], "siblings": siblings}
            body = json.dumps(info if found["what"] == "revision" else listed).encode()
            return httpx2.Response(200, headers={**head, "Content-Type": "application/json"}, content=body)
        if found["file"] not in files:
            return httpx2.Response(404, headers={**head, "X-Error-Code": "EntryNotFound"})
        content = files[found["file"]]
        head |= {"ETag": f'"{sha256(content).hexdigest()}"', "Content-Length": str(len(content))}
        return httpx2.Response(200, headers=head, content=b"" if request.method == "HEAD" else content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        huggingface_hub.set_client_factory(
            lambda: httpx2.Client(transport=httpx2.MockTransport(answer), follow_redirects=True)
        )
        try:
            yield asked
        finally:
            huggingface_hub.set_client_factory(default_client_factory)
