"""From a file's bytes to text with `\n` line ends, or the reason why it is not text."""

LFS_HEADER = b"version https://git-lfs.github.com/spec/"
LFS_LARGEST = 1024
"""A Git LFS pointer is a few lines; a document that merely begins like one is longer."""


def decode(content: bytes) -> tuple[str, str | None]:
    """The text of `content` and no reason, or no text and the reason to drop it.

    UTF-8 with or without a byte order mark. A null byte is valid UTF-8 but marks a binary file.
    """
    if content.startswith(LFS_HEADER) and len(content) <= LFS_LARGEST:
        return "", "lfs_pointer"
    if b"\0" in content:
        return "", "not_utf8"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "", "not_utf8"
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, None
