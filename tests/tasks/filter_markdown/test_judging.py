"""One document is kept or dropped for a reason, in one process or several."""

import pytest

from tasks.filter_markdown import judging
from tasks.filter_markdown.judging import RawDocument, judge_all, judge_batch
from tasks.filter_markdown.settings import FilterSettings

SETTINGS = FilterSettings(min_chars=10, max_chars=1000)
LONG = b"Words enough to be kept.\n"


def raw(content: bytes | None, reason: str | None = None) -> RawDocument:
    """A document with `content`."""
    return RawDocument(path="a.md", blob_sha="0" * 40, content=content, reason=reason)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (raw(LONG), None),
        (raw(b"0123456789"), "too_short"),
        (raw(b"0123456789a"), None),
        (raw(b"![a long description of an image](image.png)"), "too_short"),
        (raw(b"a" * 1000), None),
        (raw(b"a" * 1001), "too_large"),
        (raw(b"\xff" + LONG), "not_utf8"),
        (raw(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), "lfs_pointer"),
        (raw(None, "excluded_path"), "excluded_path"),
        (raw(None, "not_regular_file"), "not_regular_file"),
    ],
)
def test_every_reason(document: RawDocument, reason: str | None) -> None:
    """A document is kept, or dropped for the first reason that applies."""
    (judged,) = judge_batch([document], SETTINGS)
    assert judged.reason == reason
    assert bool(judged.cleaned.text) == (reason is None)


def test_the_parser_never_sees_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text beyond the limit is dropped before it is parsed."""
    monkeypatch.setattr(judging, "_clean", lambda *_: pytest.fail("parsed"))
    assert judge_batch([raw(b"[" * 50_000_000)], SETTINGS)[0].reason == "too_large"


def test_a_panic_of_the_parser_drops_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that the parser gives up on is counted, and an error of ours is not swallowed."""

    class PanicException(BaseException):  # its name in the parser's bindings
        pass

    def give_up(*_: object, **__: object) -> None:
        raise PanicException

    monkeypatch.setattr(judging, "clean_text", give_up)
    assert judge_batch([raw(LONG)], SETTINGS)[0].reason == "unparsable"
    monkeypatch.setattr(judging, "clean_text", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        judge_batch([raw(LONG)], SETTINGS)


def test_white_space_does_not_tell_texts_apart() -> None:
    """Texts that differ in white space only count as equal."""
    one, other = (
        judge_batch([raw(text)], FilterSettings(cleaning="raw", min_chars=1))[0]
        for text in (b"a  b\n", b"a b")
    )
    assert one.digest == other.digest
    assert one.cleaned.text != other.cleaned.text


def test_several_processes_give_the_same_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes judge as one does, in the documents' order."""
    monkeypatch.setattr(judging, "_BATCH_DOCUMENTS", 3)
    documents = [
        RawDocument(path=f"{n}.md", blob_sha=f"{n}", content=f"# Title {n}\n\n[Link](x)\n".encode() * n)
        for n in range(20)
    ]
    alone = list(judge_all(documents, SETTINGS))
    assert list(judge_all(iter(documents), SETTINGS, workers=2)) == alone
    assert [judged.path for judged in alone] == [document.path for document in documents]
