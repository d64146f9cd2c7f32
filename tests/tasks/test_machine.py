"""What this machine has, and what it says when its disk is full."""

import errno
import os

import pytest

from tasks.machine import is_disk_full, says_disk_full, usable_cores


def test_usable_cores_are_within_the_machine() -> None:
    """There is at least one core, and no more than the affinity allows."""
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_known_by_number_and_by_words(number: int) -> None:
    """A library that keeps the error's number and one that passes on its words alone are both understood."""
    assert is_disk_full(OSError(number, "x"))
    assert is_disk_full(RuntimeError(f"cannot write: {os.strerror(number)}"))
    assert is_disk_full(RuntimeError(f"I/O error: (os error {number})"))
    assert says_disk_full(f"fatal: write error: {os.strerror(number).upper()}")


def test_other_errors_are_no_full_disk() -> None:
    """A permission that lacks, or a number that only begins alike, says nothing of the disk."""
    assert not is_disk_full(OSError(errno.EACCES, "Permission denied"))
    assert not is_disk_full(RuntimeError("os error 281"))
