"""Similar texts are found, different ones are not."""

import builtins
from typing import Any

import pytest

from tasks.errors import UserError
from tasks.filter_markdown.near_duplicates import check_installed, signature, similar_to_earlier

WORDS = [f"word{number}" for number in range(400)]
TEXT = " ".join(WORDS)
SIMILAR = " ".join([*WORDS[:395], "other", "words", "at", "the", "end"])
DIFFERENT = " ".join(reversed(WORDS))


def test_a_similar_text_is_found_after_the_first() -> None:
    """Of similar texts the first stays; a different text stays; case and white space do not matter."""
    texts = {"a": TEXT, "b": DIFFERENT, "c": SIMILAR, "d": TEXT.upper().replace(" ", "\n"), "e": "short"}
    signatures = [(name, signature(text)) for name, text in texts.items()]
    assert similar_to_earlier(signatures, 0.85) == ["c", "d"]


def test_a_threshold_of_one_finds_only_equal_texts() -> None:
    """The threshold is what decides."""
    assert similar_to_earlier([("a", signature(TEXT)), ("b", signature(SIMILAR))], 1.0) == []


def test_the_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the optional library, the error says what to install."""
    real_import = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "datasketch":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    check_installed()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match="near-duplicates"):
        check_installed()
