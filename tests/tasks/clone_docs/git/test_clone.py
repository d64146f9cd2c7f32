"""The local clone: resumed after a kill, built upon by the next commit, and made again when broken."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.clone_docs.git.errors import BrokenCloneError
from tasks.clone_docs.kinds import source_of
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import NetworkError
from tests.git_server import GitServer, add_commit, git, make_repository
from tests.tasks.clone_docs.conftest import Clone
from tests.waiting import until

PROJECT = Path(__file__).parents[4]


def _files(count: int) -> dict[str, bytes | str]:
    # Bytes that do not compress, so that what travels can be counted.
    return {f"{number:03}.md": os.urandom(2_000) for number in range(count)}


def _clone_folder(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "work" / "clones").glob("*.git")
    return folder


def _blobs_in(folder: Path) -> int:
    listed = git(folder, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)")
    return listed.split().count("blob")


def test_a_cut_clone_goes_on_from_its_batches(
    server: GitServer, clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What arrived before the line broke is not asked for again."""
    monkeypatch.setattr("tasks.clone_docs.git.clone.BATCH", 10)
    make_repository(server.root / "docs.git", _files(40))
    # ls-remote, the commit, two batches; the third breaks half-way.
    server.cut_after, server.cut_from_request = 10_000, 4
    with pytest.raises(NetworkError):
        clone(url=server.url("docs.git"))
    assert _blobs_in(_clone_folder(tmp_path)) == 20
    server.cut_after = None
    server.forget()
    record, _ = clone(url=server.url("docs.git"))
    assert record.read == 40
    assert 40_000 < server.sent < 50_000


def test_a_second_run_fetches_nothing(server: GitServer, clone: Clone) -> None:
    """A commit that is here whole costs the question for its id, and no more."""
    make_repository(server.root / "docs.git", _files(3))
    clone(url=server.url("docs.git"))
    server.forget()
    clone(url=server.url("docs.git"))
    assert [request.method for request in server.requests] == ["GET", "POST"]


@pytest.mark.parametrize("fetch", ["partial", "shallow", "full"])
def test_the_next_commit_costs_what_changed(
    server: GitServer, clone: Clone, tmp_path: Path, fetch: str
) -> None:
    """One file changed among many: the next clone brings that one, and one ref is kept."""
    repository = server.root / "docs.git"
    make_repository(repository, _files(50))
    clone(url=server.url("docs.git"), fetch=fetch)
    newest = add_commit(repository, {"007.md": b"new", "sub/new.md": b"added"})
    server.forget()
    record, rows = clone(url=server.url("docs.git"), fetch=fetch)
    assert (record.commit_sha, record.read) == (newest, 51)
    assert rows[7]["content"] == b"new"
    assert server.sent < 10_000
    assert git(_clone_folder(tmp_path), "for-each-ref", "refs/docs").count("\n") == 0


def test_a_branch_that_was_rewritten_is_followed(server: GitServer, clone: Clone) -> None:
    """After a force push the new commit is fetched like any other."""
    repository = server.root / "docs.git"
    make_repository(repository, {"a.md": "one"})
    clone(url=server.url("docs.git"))
    make_repository(server.root / "other.git", {"b.md": "two"})
    git(repository, "fetch", "--quiet", "../other.git", "+main:main")
    assert [row["path"] for row in clone(url=server.url("docs.git"))[1]] == ["b.md"]


def test_what_a_killed_git_left_is_cleared(server: GitServer, clone: Clone, tmp_path: Path) -> None:
    """Lock files and half packs of a process that is gone stop no later clone, and are removed."""
    repository = server.root / "docs.git"
    make_repository(repository, {"a.md": "one"})
    clone(url=server.url("docs.git"))
    folder = _clone_folder(tmp_path)
    left = [folder / "shallow.lock", folder / "config.lock", folder / "packed-refs.lock",
            folder / "refs" / "docs" / "x.lock", folder / "objects" / "pack" / "tmp_pack_abc"]  # fmt: skip
    for file in left:
        file.write_bytes(b"half")
    made = folder.stat().st_ino
    add_commit(repository, {"a.md": "two"})
    assert clone(url=server.url("docs.git"))[1][0]["content"] == b"two"
    assert not any(file.exists() for file in left)
    assert folder.stat().st_ino == made, "the clone was not thrown away for them"


def _flip(path: Path) -> None:
    path.chmod(0o644)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)


def _cut(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:50])


def _largest_pack(folder: Path) -> Path:
    return max(folder.glob("objects/pack/*.pack"), key=lambda pack: pack.stat().st_size)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: _flip(_largest_pack(folder)),
        lambda folder: _cut(_largest_pack(folder)),
        lambda folder: _largest_pack(folder).unlink(),
        lambda folder: (folder / "config").write_bytes(b"\xff\xff["),
        lambda folder: (folder / "HEAD").write_bytes(b""),
        lambda folder: (folder / "HEAD").unlink(),
        lambda folder: (folder / "shallow").write_bytes(b"garbage"),
        lambda folder: next(folder.glob("refs/docs/*")).write_bytes(b"garbage"),
    ],
    ids=["flipped", "cut", "pack gone", "config", "empty HEAD", "no HEAD", "shallow", "ref"],
)
@pytest.mark.parametrize("moved", [False, True], ids=["same commit", "next commit"])
def test_a_broken_clone_is_made_again(
    server: GitServer, clone: Clone, tmp_path: Path, damage: Callable[[Path], object], moved: bool
) -> None:
    """Whatever is damaged in the work folder, the documents come out right."""
    repository = server.root / "docs.git"
    make_repository(repository, _files(5))
    _, before = clone(url=server.url("docs.git"))
    damage(_clone_folder(tmp_path))
    if moved:
        add_commit(repository, {"zzz.md": "new"})
    _, after = clone(url=server.url("docs.git"))
    assert after[:5] == before
    assert len(after) == 5 + moved


def test_a_server_that_breaks_each_clone_is_given_up(
    server: GitServer, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clone that is broken as soon as it is made is made twice, not for ever."""
    make_repository(server.root / "docs.git", {"a.md": "one"})
    calls = []

    def broken(*_: object) -> None:
        calls.append(1)
        raise BrokenCloneError("broken")

    monkeypatch.setattr("tasks.clone_docs.git_sources.GitSource.read_tree", broken)
    with pytest.raises(BrokenCloneError):
        clone(url=server.url("docs.git"))
    assert len(calls) == 2


def test_many_packs_are_replaced_by_a_fresh_clone(
    server: GitServer, clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nightly fetches do not pile up packs without end."""
    monkeypatch.setattr("tasks.clone_docs.git.clone.MOST_PACKS", 4)
    repository = server.root / "docs.git"
    make_repository(repository, _files(3))
    for number in range(4):
        clone(url=server.url("docs.git"))
        add_commit(repository, {"000.md": f"night {number}"})
    assert len(list(_clone_folder(tmp_path).glob("objects/pack/*.pack"))) <= 4


def test_a_server_without_filters_is_noticed(
    server: GitServer, clone: Clone, caplog: pytest.LogCaptureFixture
) -> None:
    """A shallow clone in place of a partial one is told in the log."""
    caplog.set_level(logging.INFO)
    server.allow_filter = False
    make_repository(server.root / "docs.git", _files(3))
    assert clone(url=server.url("docs.git"))[0].read == 3
    assert "cannot filter, so this is a shallow clone" in caplog.text
    assert len([request for request in server.requests if request.method == "POST"]) == 2


def test_progress_is_logged_now_and_then(
    server: GitServer, clone: Clone, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow transfer tells how far it is, in numbers, no more often than set."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("tasks.clone_docs.git.clone.LOG_SECONDS", 0.5)
    make_repository(server.root / "docs.git", _files(100))
    server.bytes_per_second = 80_000
    clone(url=server.url("docs.git"), fetch="shallow")
    lines = [line for line in caplog.messages if "receiving objects" in line]
    assert 2 <= len(lines) <= 10
    assert "of 102" in lines[0]


SCRIPT = """
import sys
from pathlib import Path
from tasks.clone_docs.git import clone
from tasks.clone_docs.kinds import source_of
from tasks.clone_docs.settings import SourceSettings

clone.BATCH = 10
source = source_of(SourceSettings(url=sys.argv[1]))
source.read(source.pin(), Path(sys.argv[3]), Path(sys.argv[2]))
"""


def _descendants(pid: int) -> set[int]:
    children: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            children |= {int(child)} | _descendants(int(child))
    return children


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes through /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_leaves_no_git_behind_and_is_resumed(
    server: GitServer, clone: Clone, tmp_path: Path, number: signal.Signals
) -> None:
    """When the run is killed in a transfer, its git ends too, and the next run goes on from the batches."""
    make_repository(server.root / "docs.git", _files(240))
    server.bytes_per_second = 30_000
    run = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, server.url("docs.git"), tmp_path / "work" / "clones", tmp_path / "x"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stderr=subprocess.DEVNULL,
    )
    until(
        lambda: len([r for r in server.requests if r.method == "POST"]) >= 4,
        goes_on=lambda: run.poll() is None,
    )
    time.sleep(0.3)
    left = _descendants(run.pid)
    assert left
    run.send_signal(number)
    run.wait()
    until(lambda: not any(_is_running(pid) for pid in left))
    arrived = _blobs_in(_clone_folder(tmp_path))
    assert 10 <= arrived < 240
    server.bytes_per_second = None
    time.sleep(0.5)  # the server counts what it sent when it notices that nobody listens
    server.forget()
    assert clone(url=server.url("docs.git"))[0].read == 240
    assert server.sent < 2_100 * (240 - arrived) + 10_000


def test_a_second_run_waits_for_the_first(
    server: GitServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two runs of one repository at once do not disturb each other, and fetch it once."""
    caplog.set_level(logging.INFO)
    make_repository(server.root / "docs.git", _files(30))
    server.bytes_per_second = 200_000
    source = source_of(SourceSettings(url=server.url("docs.git")))
    pinned = source.pin()
    targets = [tmp_path / "first", tmp_path / "second"]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda target: source.read(pinned, target, tmp_path / "clones"), targets))
    assert "waiting for another run" in caplog.text
    assert server.sent < 80_000
    assert targets[0].read_bytes() == targets[1].read_bytes()
