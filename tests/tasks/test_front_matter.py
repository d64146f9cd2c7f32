"""Where front matter ends."""

import pytest

from tasks.front_matter import front_matter_end


@pytest.mark.parametrize(
    ("front", "rest"),
    [
        ("---\ntitle: a\n---\n", "# A"),
        ("---\r\ntitle: a\r\n---\r\n", "# A"),
        ("\ufeff---\ntitle: a\n...\n", "# A"),
        ("---\n# a comment\n---", ""),
        ("", "---\n\nA rule, and no key.\n\n---\n"),
        ("", "---\ntitle: a\n\nthat never ends"),
        ("", "# A\n---\ntitle: a\n---\n"),
    ],
)
def test_front_matter_ends_where_it_says(front: str, rest: str) -> None:
    """A block of keys at the very beginning is front matter; a rule, or a block without end, is text."""
    assert front_matter_end(front + rest) == len(front)
