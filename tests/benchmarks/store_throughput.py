"""Store throughput against the plain client's on one S3 server, and how long a checkpoint holds training up.

python -m tests.benchmarks.store_throughput [MB]
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import s3fs

from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tasks.training.checkpoints import CheckpointKeeper
from tests.s3_server import BUCKET, s3_server

ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main(megabytes: int) -> None:
    """Print the best of a few rounds, in MB/s and milliseconds."""
    base = Path(tempfile.mkdtemp())
    folder = base / "made"
    folder.mkdir()
    for name, share in (("model.safetensors", 0.33), ("optimizer.pt", 0.66), ("rng.pth", 0.01)):
        (folder / name).write_bytes(os.urandom(1 << 20) * max(1, int(megabytes * share)))
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    with s3_server(base / "s3") as server:
        os.environ.update(server.environment)
        # Without this the plain client cannot read a range of a file that it sent whole from this server.
        lenient = {"response_checksum_validation": "when_required"}
        plain = s3fs.S3FileSystem(use_listings_cache=False, config_kwargs=lenient)
        store = Store(server.url())
        best: dict[str, float] = {}
        for number in range(ROUNDS):
            uri, place = store.uri("training", f"k{number}"), f"{BUCKET}/plain{number}"
            manifest = Manifest(stage="training", key=f"k{number}", record={})
            works: dict[str, Callable[[], object]] = {
                "plain put": lambda place=place: plain.put(str(folder), place, recursive=True),
                "store commit": lambda uri=uri, manifest=manifest: store.commit(folder, uri, manifest),
                "plain get": lambda place=place: plain.get(place, str(base / "got"), recursive=True),
                "store fetch": lambda uri=uri: store.fetch(uri, base / "fetched"),
            }
            for name, work in works.items():
                best[name] = min(best.get(name, 1e9), seconds(work))
            shutil.rmtree(base / "got")
            shutil.rmtree(base / "fetched")
        for name, taken in best.items():
            print(f"{name:15} {size:5.0f} MB {taken:6.2f} s {size / taken:6.0f} MB/s")
        keeper = CheckpointKeeper(store, store.uri("checkpoints", "k"), base / "spool", keep=1)
        held = seconds(lambda: keeper.submit(folder, 1))
        whole = held + seconds(keeper.close)
        print(
            f"submit holds training up {held * 1e3:.1f} ms, a synchronous commit {best['store commit']:.2f} s"
        )
        print(f"in the background that commit took {whole:.2f} s")
    shutil.rmtree(base)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
