"""`verify` finds every damage, and `sweep` every leftover and nothing else."""

import os
import time
from pathlib import Path

from tasks.store.care import sweep, verify
from tasks.store.folders import Store
from tasks.store.marker import MARKER
from tests.s3_server import S3Server
from tests.tasks.store.conftest import KEY, contents, manifest_for, place

HOUR = 3600
OTHER = KEY[::-1]


def chain(store: Store, folder: Path) -> str:
    """A corpus and the documents it was made of."""
    store.commit(folder, store.uri("documents", "k0"), manifest_for("k0", stage="documents"))
    ancestors = {"documents": {"uri": "elsewhere", "key": "k0"}}
    store.commit(folder, store.uri("corpus", "k1"), manifest_for("k1", **ancestors))
    return store.uri("corpus", "k1")


def test_verify_follows_the_chain(store: Store, server: S3Server, folder: Path) -> None:
    """A whole chain is intact; damage to a file, a size or a manifest is told with its place."""
    uri = chain(store, folder)
    assert [(r.state, r.files, len(r.problems)) for r in verify(store, uri)] == [("intact", 4, 0)] * 2
    parent = place(store, server, "documents/k0")
    weights = bytearray((parent / "weights.bin").read_bytes())
    weights[len(weights) // 2] ^= 1
    (parent / "weights.bin").write_bytes(weights)
    (parent / "stray.bin").touch()
    own, ancestor = verify(store, uri)
    assert own.state == "intact"
    assert ancestor.state == "damaged"
    assert "weights.bin" in ancestor.problems[0]
    assert ancestor.unlisted == ("stray.bin",)
    (parent / "weights.bin").unlink()
    assert "is missing" in verify(store, uri)[1].problems[0]
    (parent / "manifest.json").write_bytes(b"{")
    assert "cannot be read" in verify(store, uri)[1].problems[0]
    store.remove(store.uri("documents", "k0"))
    assert [r.state for r in verify(store, uri)] == ["intact", "missing"]


def test_sweep_takes_leftovers_alone(store: Store, server: S3Server, folder: Path) -> None:
    """Old folders without a manifest and the store's own temporary files go; all that counts stays."""
    uri = chain(store, folder)
    for pointer in ("latest.json", "latest-docs-bert-docs-0123456789.json"):
        store.write_json(store.uri("models", pointer), {"key": "m1"})
    step = f"{KEY}/step-1"
    store.commit(folder, store.uri("checkpoints", step), manifest_for(step, stage="checkpoints"))
    before = contents(place(store, server, ""))
    leftovers = (
        f"tokenized/{KEY}/sub/data.arrow",
        f"tokenized/{KEY}/state.json",
        f"checkpoints/{KEY}/step-2/model.safetensors",
        f"checkpoints/{KEY}/.step-3.0123abcd.partial/model.safetensors",
        f"checkpoints/{OTHER}/step-1/model.safetensors",
        f"corpus/.{KEY}.0123abcd.partial/manifest.json",
        f"corpus/.{KEY}.lease.0123abcd.partial",
        "models/.latest.json.0123abcd.partial",
        "models/.latest-docs-bert-docs-0123456789.json.0123abcd.partial",
        f"corpus/{OTHER}.lease",
        ".probe-1-0123abcd",
        "..probe-1-0123abcd.0123abcd.partial",
        f".{MARKER}.0123abcd.partial",
    )
    for name in leftovers:
        path = place(store, server, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left")
        if "state.json" not in name:
            os.utime(path, (time.time() - 48 * HOUR,) * 2)
    young = store.uri("tokenized", KEY)
    expected = {
        store.uri("checkpoints", KEY, "step-2"),
        store.uri("checkpoints", KEY, ".step-3.0123abcd.partial"),
        store.uri("checkpoints", OTHER),
        store.uri("corpus", f".{KEY}.0123abcd.partial"),
        *(store.uri(name) for name in leftovers[6:]),
    }
    assert {found.uri for found in sweep(store, remove=False)} == expected
    assert {found.uri for found in sweep(store)} == expected
    assert [found.uri for found in sweep(store, older_than=0)] == [young]
    assert contents(place(store, server, "")) == before
    assert {report.state for report in verify(store, uri)} == {"intact"}
