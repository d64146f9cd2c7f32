"""Whatever texts, paths and names hold, it is printed as it is; a suggested command is one for a shell."""

import argparse
import io
import json
import random
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from flows.command import display, result
from flows.command.parser import parse
from tasks.models.lines import Line
from tasks.models.published import Version
from tasks.run.each import Outcome
from tasks.run.suggestion import USUAL
from tasks.run.summary import RunSummary
from tasks.stage.target import Target
from tasks.store.care import FolderReport, Leftover
from tests.tasks.filter_markdown.hostile import documents

MARKUP = ["[/x]", "[/]", "[bold]", "[red]a[/red]", "[link=x]", ":warning:", "\\[", "\x1b[2J", "\x1b]0;t\x07",
          "\u202e", "\ud800", "a\nb", "\r", "$(x)", "`x`", "'", '"', "!", "[MASK]",
          "--", "-x", "🙂", "日本"]  # fmt: skip
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")


def texts(count: int, seed: int = 0) -> Iterator[str]:
    """Short texts of what means something to a terminal, a shell or Markdown."""
    draw = random.Random(seed)
    for document in documents(count, seed):
        yield "".join(draw.choices([*MARKUP, document[: draw.randint(0, 60)]], k=draw.randint(1, 5)))


def a_summary(texts: Iterator[str]) -> RunSummary:
    """A run of which every name, reason and text is one of `texts`."""
    figures = {"loss": 1.0, "perplexity": 2.0, "accuracy": 0.5}
    return RunSummary(
        run_key="k", name=next(texts), source=next(texts), commit_sha="c", sources=[], store=next(texts),
        stages={next(texts): {"reused": False, "seconds": 1.0, "uri": next(texts), "why": next(texts)}},
        pairs={}, probes={"retrieval": found(next(texts))}, retrieval_model=None, advice=next(texts),
        question="rotate a key",
        documents={"found": 2, "kept": 1, "dropped_by_reason": {next(texts): 1}},
        tokens={"corpus": 1, "train": 1, "eval": 0, "coverage": 1.0},
        training={"tokens_per_second": 1.0, "device": next(texts), "global_step": 1},
        eval={"before": figures, "after": figures},
        model={"uri": next(texts), "version": next(texts)},
        line=next(texts), line_name=next(texts), newest=True,
        fill_samples=[a_sample(next(texts), next(texts), [next(texts)])],
    )  # fmt: skip


def found(system: str) -> dict[str, object]:
    """What two systems found."""
    value = {"ndcg@10": 0.5, "low": 0.4, "high": 0.6}
    figures = {"title": value, "all": value | {"low": None, "high": None}}
    return {"bm25": figures, system: figures, "paired": []}


def a_sample(text: str, answer: str, before: list[str]) -> dict[str, object]:
    """A sample that training has improved."""
    return {"text": f"{text} [MASK]", "answer": answer, "before": [f"not {before[0]}"], "after": [answer]}


def show_everything(texts: Iterator[str]) -> None:
    """Every display of the command."""
    target = Target(stage=next(texts), key="k" * 32, uri=next(texts), action="run", why=next(texts),
                    store_url=next(texts), work_dir="w")  # fmt: skip
    line = Line.of([next(texts)], next(texts))
    plan = argparse.Namespace(
        targets={"a": target, "training": target}, name=next(texts), store_url=next(texts), run_key="k",
        line=line,
    )  # fmt: skip
    outcome = Outcome(name=next(texts), run=next(texts), state=next(texts), message=next(texts))
    version = Version(version=next(texts), uri=next(texts), line=next(texts), line_name=next(texts),
                      source=next(texts), commit_sha=next(texts), documents=1,
                      steps=1, loss_before=None, loss_after=1.0, accuracy=0.5)  # fmt: skip
    report = FolderReport(uri=next(texts), state="damaged", files=1, bytes=1, problems=[next(texts)],
                          unlisted=[next(texts)])  # fmt: skip
    leftover = Leftover(uri=next(texts), kind=next(texts), files=1, bytes=1, age_s=1.0)
    several = argparse.Namespace(store=next(texts), corpus="each")
    summary = a_summary(texts)
    for as_json in (False, True):
        display.show_plan(plan, as_json=as_json)  # type: ignore[arg-type]
        result.show_summary(summary, as_json=as_json)
        display.show_outcomes([outcome], several, as_json=as_json)  # type: ignore[arg-type]
        display.show_versions([version], next(texts), as_json=as_json)
        display.show_versions([], next(texts), as_json=as_json)
        display.show_reports([report], next(texts), as_json=as_json)
        display.show_leftovers([leftover], next(texts), removed=True, as_json=as_json)
    display.show_predictions(next(texts), [[(next(texts), 0.5)], [(next(texts), 0.5)]])
    display.show_follows(next(texts), 0.9)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_ten_thousand_texts_are_shown(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No text in any place of any display is an error, and none reaches the terminal's controls."""
    source = texts(12_000, seed=len(encoding))
    shown = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", shown)
    for _ in range(120):
        show_everything(source)
    shown.flush()
    written = shown.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert UNSAFE.search(written) is None
    assert next(source, None) is not None, "the texts are used up"


@pytest.mark.parametrize(
    "text", ["[/x]", "[bold]x[/]", ":warning:", "\\[a]", "[link=x]a[/link]", "a [MASK] b"]
)
def test_a_text_is_shown_letter_by_letter(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What rich would take for markup or an emoji is printed as it is, in lines and in cells."""
    display.show_predictions(text, [[(text, 0.5)]])
    out = capsys.readouterr().out
    assert out.startswith(f"{text}\n")
    assert f"{text}   " in out.splitlines()[3]
    result.show_summary(a_summary(iter([text] * 20)), as_json=False)
    assert capsys.readouterr().out.startswith(f"\n{text} into {text}\n")


def test_json_holds_half_a_character(capsys: pytest.CaptureFixture[str]) -> None:
    """A path that is no UTF-8 comes through JSON as it is."""
    display.print_json({"path": "a\udcffé"})
    assert json.loads(capsys.readouterr().out) == {"path": "a\udcffé"}


def suggested(summary: RunSummary, capsys: pytest.CaptureFixture[str]) -> str:
    """The `docs-mlm predict` line at the end of a run."""
    result.show_next(summary)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  docs-mlm predict")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    "text",
    ["plain words", "it's \"quoted\" $HOME `id` $(id) !x", "two\nlines\tand a tab", "-dash", "--model=x y",
     "long " * 60, "\\ back", "*", "#", "[UNK] é 日本"],
)  # fmt: skip
def test_a_suggestion_is_read_by_a_shell(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A shell and the command's parser get the store and the text as they are, on one line."""
    summary = a_summary(iter(["n", "s", "file:///a folder/'s", *"abcdefghijk", text, "answer", "guess"]))
    line = suggested(summary, capsys)
    script = f"docs-mlm() {{ printf '%s\\0' \"$@\"; }}; {line}"
    printed = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    arguments = printed.split("\0")[:-1]
    assert arguments == shlex.split(line)[1:]
    parsed = parse(arguments)
    assert (parsed.text, parsed.store) == (" ".join(f"{text} [MASK]".split()), "file:///a folder/'s")


def test_the_guesses_are_shown_beside_the_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    """The answer and what was guessed before and after."""
    result.show_next(a_summary(iter(["n", "s", "file:///s", *"abcdefghijk", "See the", "portal", "guess"])))
    out = capsys.readouterr().out
    assert "  docs-mlm predict --store file:///s 'See the [MASK]'\n" in out
    assert "where portal was; before: not guess; after: portal\n" in out


def test_without_a_better_answer_the_usual_sentence_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a command as well."""
    summary = a_summary(iter(["a"] * 20))
    summary.fill_samples.clear()
    assert shlex.split(suggested(summary, capsys)) == ["docs-mlm", "predict", "--store", "a", USUAL]
