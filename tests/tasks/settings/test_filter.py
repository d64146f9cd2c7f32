"""Which documents are kept, and what is left of their text."""

import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from tasks.filter_markdown.settings import FilterSettings
from tests.tasks.filter_markdown.test_corpus import run, snapshot

MARKDOWN = "---\ntitle: x\n---\n# Title\n\nA [link](target.md).\n\n```bash\nrun it\n```\n\nThe end.\n"


def kept(folder: Path, texts: dict[str, str], **changes: object) -> dict[str, str]:
    """The texts that stay, by path; with `raw`, no shortest length and nothing held out unless told."""
    settings = FilterSettings(**{"cleaning": "raw", "min_chars": 0, "eval_fraction": 0, **changes})
    _, rows = run(folder, snapshot(folder, {path: text.encode() for path, text in texts.items()}), settings)
    return {row["path"]: row["text"] for row in rows}


@pytest.mark.setting("filter.cleaning", "filter.keep_code")
@pytest.mark.parametrize(
    ("cleaning", "keep_code", "expected"),
    [
        ("text", True, "Title\n\nA link.\n\nrun it\n\nThe end."),
        ("text", False, "Title\n\nA link.\n\nThe end."),
        ("raw", True, MARKDOWN),
    ],
)
def test_the_text_is_cleaned_as_asked(tmp_path: Path, cleaning: str, keep_code: bool, expected: str) -> None:
    """`text` takes the markup away, and the code unless it is kept; `raw` leaves the Markdown as it is."""
    assert kept(tmp_path, {"a.md": MARKDOWN}, cleaning=cleaning, keep_code=keep_code) == {"a.md": expected}


@pytest.mark.setting("filter.min_chars")
@pytest.mark.parametrize("least", [0, 10, 57])
def test_texts_of_so_few_characters_are_dropped(tmp_path: Path, least: int) -> None:
    """A text must have one character more."""
    found = kept(tmp_path, {f"{size}.md": "é" * size for size in range(80)}, min_chars=least)
    assert {len(text) for text in found.values()} == set(range(least + 1, 80))


@pytest.mark.setting("filter.max_chars")
@pytest.mark.parametrize("most", [10, 57])
def test_texts_of_more_characters_are_dropped(tmp_path: Path, most: int) -> None:
    """A text of just so many stays."""
    found = kept(tmp_path, {f"{size}.md": "é" * size for size in range(1, 80)}, max_chars=most)
    assert {len(text) for text in found.values()} == set(range(1, most + 1))


@pytest.mark.setting("filter.max_chars")
@pytest.mark.parametrize(("most", "stays"), [(86, False), (87, True)])
def test_markdown_of_more_characters_is_dropped_unread(tmp_path: Path, most: int, stays: bool) -> None:
    """The limit holds for the Markdown too, before it is parsed, however little text is in it."""
    source = "[link](" + "x" * 79 + ")"
    assert len(source) == 87
    found = kept(tmp_path, {"a.md": "short", "b.md": source}, cleaning="text", max_chars=most)
    assert ("b.md" in found) is stays


WORDS = [f"word{number}" for number in range(1000)]
TEXT = " ".join(WORDS)
SIMILAR = " ".join([*WORDS[:824], *(f"other{number}" for number in range(176))])
"""Shares 820 of 1,172 word 5-grams with `TEXT`: a Jaccard similarity of 0.7."""
TEXTS = {"a.md": TEXT, "b.md": TEXT.replace(" ", "\n"), "c.md": SIMILAR}


@pytest.mark.setting("filter.duplicates")
@pytest.mark.parametrize(
    ("duplicates", "stay"),
    [("keep", ["a.md", "b.md", "c.md"]), ("exact", ["a.md", "c.md"]), ("near", ["a.md"])],
)
def test_duplicates_are_dropped_as_asked(tmp_path: Path, duplicates: str, stay: list[str]) -> None:
    """All stay, or the first of equal texts, or the first of similar ones."""
    threshold = {"near_duplicate_threshold": 0.5} if duplicates == "near" else {}
    assert list(kept(tmp_path, TEXTS, duplicates=duplicates, **threshold)) == stay


@pytest.mark.setting("filter.near_duplicate_threshold")
@pytest.mark.parametrize(("threshold", "similar"), [(0.5, True), (0.9, False)])
def test_texts_from_the_threshold_on_are_similar(tmp_path: Path, threshold: float, similar: bool) -> None:
    """Two texts of a similarity of 0.7 are near duplicates for a lower threshold, not for a higher one."""
    grams = [
        {tuple(text.split()[i : i + 5]) for i in range(len(text.split()) - 4)} for text in (TEXT, SIMILAR)
    ]
    assert len(grams[0] & grams[1]) / len(grams[0] | grams[1]) == pytest.approx(0.7, abs=0.001)
    found = kept(tmp_path, TEXTS, duplicates="near", near_duplicate_threshold=threshold)
    assert ("c.md" not in found) is similar


@pytest.mark.setting("filter.eval_fraction")
@pytest.mark.parametrize("fraction", [0, 0.1, 0.4])
def test_the_held_out_share_is_that_of_the_paths_hashes(tmp_path: Path, fraction: float) -> None:
    """Held out is each document whose path's SHA-256, as a number in [0, 1), is below the share."""
    texts = {f"docs/{number}.md": f"This is the text number {number}." for number in range(200)}
    documents = snapshot(tmp_path, {path: text.encode() for path, text in texts.items()})
    counts, rows = run(tmp_path, documents, FilterSettings(min_chars=0, eval_fraction=fraction))
    places = {path: int(hashlib.sha256(path.encode()).hexdigest()[:16], 16) / 2**64 for path in texts}
    expected = {path for path, place in places.items() if place < fraction}
    assert {row["path"] for row in rows if row["split"] == "eval"} == expected
    assert {row["path"] for row in rows if row["split"] == "train"} == set(texts) - expected
    assert counts.eval_documents == len(expected)


LANGUAGES = {
    "de.md": "Mit diesem Befehl wird der Dienst gestartet und die Konfiguration aus der Datei gelesen.",
    "en.md": "This command starts the service and reads its configuration from the file beside it.",
    "fr.md": "Cette commande démarre le service et lit la configuration à partir du fichier.",
    "zh.md": "此命令启动服务，并从文件中读取配置，然后等待下一个请求。",
    "und.md": "0x7f 12.5 == { } [ ] 99",
}


@pytest.mark.setting("filter.languages")
@pytest.mark.parametrize("languages", [[], ["en"], ["zh", "de", "de"], ["fr", "und"]])
def test_texts_of_the_languages_asked_for_are_kept(tmp_path: Path, languages: list[str]) -> None:
    """All if none is named; the others are counted as dropped, each with its reason."""
    stay = {f"{language}.md" for language in languages} if languages else set(LANGUAGES)
    assert set(kept(tmp_path, LANGUAGES, languages=languages)) == stay
    dropped = pq.read_table(tmp_path / "out" / "dropped.parquet").to_pylist()
    assert {row["path"]: row["reason"] for row in dropped} == dict.fromkeys(
        set(LANGUAGES) - stay, "other_language"
    )


@pytest.mark.parametrize("code", ["EN", "en-US", "english", "xx", ""])
def test_a_language_that_is_not_told_apart_is_refused(code: str) -> None:
    """The message says what a code looks like; order and doubles make no other key."""
    with pytest.raises(ValidationError, match=r"give two-letter codes \(ISO 639-1\), such as en"):
        FilterSettings(languages=["en", code])
    assert (
        FilterSettings(languages=["fr", "en", "fr"]).keyed() == FilterSettings(languages=["en", "fr"]).keyed()
    )


@pytest.mark.setting("filter.boilerplate_share")
@pytest.mark.parametrize(
    ("share", "gone"),
    [(None, []), (0.3, ["Rate this page.", "See also", "Rarely"]), (0.8, ["Rate this page."])],
)
def test_lines_in_so_many_documents_are_taken_out(
    tmp_path: Path, share: float | None, gone: list[str]
) -> None:
    """A line in more than the share of the documents goes from all of them; what few say stays."""
    texts = {
        f"{n:02}.md": "\n\n".join(
            [f"Title {n}", "See also" if n % 2 else "Rarely", f"The text {n // 2}.", "Rate this page."]
        )
        for n in range(20)
    }
    found = kept(tmp_path, texts, cleaning="text", duplicates="keep", boilerplate_share=share)
    assert found == {
        path: "\n\n".join(line for line in text.split("\n\n") if line not in gone)
        for path, text in texts.items()
    }


@pytest.mark.setting("filter.dialects")
@pytest.mark.parametrize("dialects", [["hugo", "mkdocs"], ["docfx"], []])
def test_the_marks_of_the_chosen_builders_go(tmp_path: Path, dialects: list[str]) -> None:
    """Those of the others stay in the text."""
    page = '{{< note >}} Text\n\n!!! note "Title"\n\n    Text :::zone\n\n:::zone a\nText\n'
    found = kept(tmp_path, {"a.md": page}, cleaning="text", dialects=dialects)["a.md"]
    assert ("{{<" in found) is ("hugo" not in dialects)
    assert ("!!!" in found) is ("mkdocs" not in dialects)
    assert (":::zone a" in found) is ("docfx" not in dialects)


def test_dialects_are_a_set_of_known_names() -> None:
    """Their order makes no other key, and a name that is none is refused with those that are."""
    assert FilterSettings(dialects=["mkdocs", "hugo", "mkdocs"]).keyed()["dialects"] == ["hugo", "mkdocs"]
    with pytest.raises(ValueError, match=r"called sphinxx: choose among docfx, .*myst"):
        FilterSettings(dialects=["sphinxx"])
    with pytest.raises(ValueError, match="choose cleaning text"):
        FilterSettings(cleaning="raw", dialects=["hugo"])
