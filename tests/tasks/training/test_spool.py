"""What lies in the spool is trusted only when its own manifest vouches for it."""

import errno
import os
from pathlib import Path

import pytest

from tasks.store.manifest import MANIFEST
from tasks.training.spool import NAME, Spool, new_name, step_of


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A checkpoint as the Trainer leaves it."""
    folder = tmp_path / "checkpoint-7"
    (folder / "sub").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "sub" / "rng.pth").write_bytes(b"random")
    return folder


def spool(tmp_path: Path, key: str = "t1") -> Spool:
    """The spool of a training, in one and the same folder."""
    return Spool(tmp_path / "spool", stage="checkpoints", key=key)


def test_two_attempts_have_two_names() -> None:
    """A name tells its step, and no two are the same."""
    names = {new_name(500) for _ in range(9)}
    assert len(names) == 9
    assert all(NAME.fullmatch(name) and step_of(name) == 500 for name in names)


def test_a_sealed_checkpoint_comes_back(tmp_path: Path, made: Path) -> None:
    """It counts from its manifest on, is other names of the same files, and comes back without it."""
    name, into = new_name(7), tmp_path / "resumed"
    spool(tmp_path).take(made, name)
    assert spool(tmp_path).sealed() == []
    assert not spool(tmp_path).give(name, into)
    spool(tmp_path).seal(name)
    assert spool(tmp_path).sealed() == [name]
    assert spool(tmp_path).give(name, into)
    assert (into / "model.safetensors").samefile(made / "model.safetensors")
    assert (into / "sub" / "rng.pth").read_bytes() == b"random"
    assert not (into / MANIFEST).exists()


@pytest.mark.parametrize("other", ["another training", "another name"])
def test_another_ones_checkpoint_is_passed_over(tmp_path: Path, made: Path, other: str) -> None:
    """A folder that was copied here vouches for another training or attempt, and stays where it is."""
    name = new_name(7)
    mine = spool(tmp_path)
    mine.take(made, name)
    mine.seal(name)
    asked = name
    if other == "another training":
        mine = spool(tmp_path, key="t2")
    else:
        asked = new_name(8)
        mine.path(name).rename(mine.path(asked))
    assert not mine.give(asked, tmp_path / "resumed")
    assert mine.path(asked).is_dir()


def test_a_damaged_one_is_deleted(tmp_path: Path, made: Path) -> None:
    """Bytes that do not hash to the manifest are passed over, and make room."""
    name, mine = new_name(7), spool(tmp_path)
    mine.take(made, name)
    mine.seal(name)
    (mine.path(name) / "model.safetensors").unlink()
    (mine.path(name) / "model.safetensors").write_bytes(b"weighty")
    assert not mine.give(name, tmp_path / "resumed")
    assert not mine.path(name).exists()


def test_what_cannot_be_taken_leaves_nothing(
    tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the half that was copied is deleted again."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    name = new_name(7)
    monkeypatch.setattr(Path, "hardlink_to", full)
    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        spool(tmp_path).take(made, name)
    assert not spool(tmp_path).path(name).exists()
