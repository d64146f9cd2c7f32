"""Bytes become text, or a reason."""

import pytest

from tasks.filter_markdown.decoding import LFS_LARGEST, decode

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    """UTF-8 reads the same with and without a byte order mark."""
    assert decode("\ufeffé\n".encode()) == decode("é\n".encode()) == ("é\n", None)


def test_line_ends_become_newlines() -> None:
    """Windows' and old Macs' line ends become newlines, and no empty lines appear."""
    assert decode(b"a\r\nb\rc\n") == ("a\nb\nc\n", None)


@pytest.mark.parametrize(
    "content", [b"caf\xe9", "a".encode("utf-16"), b"text\0text", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"]
)
def test_what_is_not_utf8_is_refused(content: bytes) -> None:
    """Latin-1, UTF-16, null bytes, surrogates and too high code points are `not_utf8`."""
    assert decode(content) == ("", "not_utf8")


def test_a_large_file_pointer_is_no_document() -> None:
    """A Git LFS pointer is told apart from a document that quotes one."""
    assert decode(POINTER) == ("", "lfs_pointer")
    assert decode(POINTER + b"x" * LFS_LARGEST)[1] is None
