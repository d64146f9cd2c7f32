"""`docs-mlm preview`: what a model would learn from, without a store, Prefect or a training."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.command.main import exit_code, main
from tasks.clone_docs.kinds import source_of
from tasks.clone_docs.settings import SourceSettings
from tasks.run.preview import thin_out
from tests.git_server import make_repository

PAGE = (
    "# Page {0}\n\n[A link](there.md) of page {0} leads to service {0} and its queue {0}.\n\n{{{{ left }}}}\n"
)
FILES: dict[str, bytes | str] = {f"docs/{n:02}.md": PAGE.format(n) * 4 for n in range(12)}
FILES |= {
    "guide.rst": "x",
    "docs/de.md": "Mit diesem Befehl wird der Dienst gestartet und alles gelesen. " * 5,
}


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store and a work folder that nothing else uses."""
    monkeypatch.setenv("DOCS_MLM_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DOCS_MLM_WORK_DIR", str(tmp_path / "work"))


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A checkout of the documents."""
    make_repository(tmp_path / "docs", FILES)
    for path, text in FILES.items():
        (tmp_path / "docs" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "docs" / path).write_text(str(text), encoding="utf-8")
    return tmp_path / "docs"


def answer(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict:
    """What `--json` says."""
    assert exit_code(["preview", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("kind", ["--source.url", "--source.folder", "word", "json"])
def test_every_kind_of_source_is_shown(
    docs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """By a flag or by one word; figures, languages, marks and samples are the same."""
    given: list[str | Path] = [docs] if kind == "word" else [kind, docs]
    if kind == "json":
        texts = [{"id": path, "text": text} for path, text in sorted(FILES.items()) if path.endswith(".md")]
        (tmp_path / "docs.jsonl").write_text("\n".join(map(json.dumps, texts)), encoding="utf-8")
        given = [tmp_path / "docs.jsonl"]
    found = answer(capsys, *given)
    assert (found["documents"]["found"], found["documents"]["kept"], found["looked_at"]) == (13, 13, 13)
    assert found["documents"]["languages"] == {"de": 1, "en": 12}
    assert found["documents"]["unread"] == ({} if kind == "json" else {".rst": 1})
    assert found["residue"]["template: value"]["documents"] == 12
    assert len(found["samples"]) == 3
    assert ["# Page 2", "Page 2"] in found["samples"][0]["lines"]
    assert not (tmp_path / "store").exists()
    assert not list(tmp_path.glob("work/**/*.parquet"))


def test_the_settings_of_source_and_filter_are_heeded(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in a run: what is excluded or of another language is counted as dropped."""
    found = answer(capsys, docs, "--filter.languages", "en", "--source.exclude", "docs/00.md")
    assert found["documents"]["dropped_by_reason"] == {"excluded_path": 1, "other_language": 1}


def test_a_settings_file_names_the_source(
    docs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that a run takes, with settings that a preview does not need; flags win over it."""
    file = tmp_path / "run.yaml"
    file.write_text(f"source: {{folder: {docs}}}\ntrain: {{seed: 3}}\nfilter: {{min_chars: 9000}}\n")
    assert answer(capsys, file, "--filter.min-chars", "5")["documents"]["kept"] == 13
    assert exit_code(["preview", str(file)]) == 2
    assert "min_chars (9000)" in capsys.readouterr().err


def test_what_is_printed_is_for_a_person_and_harmless(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables and documents side by side; nothing of a document moves the cursor or is taken for markup."""
    (tmp_path / "d").mkdir()
    for n in range(8):
        text = f"# Title {n}\n\nRed [red]text {n}[/red] \x1b[31m and \u202e of page {n} in {n}.\n\n" * 5
        (tmp_path / "d" / f"{n}.md").write_text(text, encoding="utf-8")
    assert exit_code(["preview", str(tmp_path / "d")]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[red]text 1[/red]" in out
    for words in ("as found", "as kept", "held out", "by language", "# Title 1"):
        assert words in out


def test_of_very_many_documents_some_are_looked_at(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From all over their order, and it is said."""
    assert exit_code(["preview", str(docs), "--documents", "5"]) == 0
    assert "5 of 13 documents looked at" in capsys.readouterr().out


@pytest.mark.parametrize("most", [1, 4, 5, 100])
def test_rows_are_thinned_out_evenly(docs: Path, tmp_path: Path, most: int) -> None:
    """Every so-many-th row stays, whatever the batches, and no more than asked for."""
    source, file = source_of(SourceSettings(folder=docs)), tmp_path / "documents.parquet"
    source.read(source.pin(), file, tmp_path)
    before = pq.read_table(file)["path"].to_pylist()
    count = thin_out(file, most)
    step = -(-13 // most)
    assert pq.read_table(file)["path"].to_pylist() == before[:: max(step, 1)]
    assert count == len(before[:: max(step, 1)]) <= most


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.zzz"], "there is no nothing.zzz"),
        ([], "no source is given"),
        (["--documents", "0", "."], "--documents: '0' is not a whole number above 0"),
    ],
)
def test_mistakes_are_a_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And end with code 2."""
    with pytest.raises(SystemExit) as end:
        main(["preview", *arguments])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_nothing_heavy_is_imported(docs: Path) -> None:
    """Neither Prefect nor torch nor transformers: it is there in seconds."""
    code = (
        "import sys\nfrom flows.command.main import exit_code, main\n"
        f"code = exit_code(['preview', {str(docs)!r}, '--json'])\n"
        "heavy = {'prefect', 'torch', 'transformers', 'datasets'} & set(sys.modules)\n"
        "sys.exit(code or len(heavy))"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, cwd=Path(__file__).parents[3]
    )
