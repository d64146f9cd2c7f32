"""What can be typed: every verb is named once, help is there at once, and a mistake gets one line."""

import subprocess
import sys
import time

import pytest

from flows.command.parser import VERBS, parse
from tests.flows.conftest import DOCUMENTS

HEAVY = {"prefect", "torch", "transformers", "datasets"}


def imported(names: set[str], *arguments: str) -> tuple[set[str], str]:
    """Which of some libraries a call of the command imports, and what it prints."""
    code = (
        "import sys\nfrom flows.command.main import main\n"
        f"try: main({list(arguments)!r})\nexcept SystemExit as end: assert not end.code, end.code\n"
        f"sys.stderr.write(' '.join({names!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stderr.split()), done.stdout


@pytest.mark.parametrize("arguments", [[], ["run"], ["several"]])
def test_help_needs_no_library(arguments):
    """Help imports none of what the work is done with, and names every verb or every setting."""
    found, printed = imported(HEAVY | {"pyarrow", "httpx", "aiohttp", "numpy"}, *arguments, "--help")
    assert found == set()
    expected = ["--train.learning-rate", "--store"] if arguments else [verb.name for verb in VERBS]
    assert all(word in printed for word in expected)


def test_help_is_there_at_once():
    """It takes less than 0.6 s, the quickest of some tries, for the machine may be busy."""
    seconds = []
    while not seconds or (min(seconds) >= 0.6 and len(seconds) < 10):
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "flows.command", "--help"], check=True, stdout=subprocess.DEVNULL
        )
        seconds.append(time.monotonic() - began)
    assert min(seconds) < 0.6, seconds


def test_a_plan_needs_no_prefect_and_no_torch(tmp_path):
    """To plan a run on a folder, nothing is imported that only doing it needs."""
    for name, text in DOCUMENTS.items():
        (tmp_path / "markdown" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "markdown" / name).write_text(text)
    source = ["--source.folder", str(tmp_path / "markdown"), "--store", str(tmp_path / "store")]
    found, printed = imported(HEAVY, "plan", "demo", *source)
    assert found == set()
    assert "nothing is stored yet" in printed


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_verb_is_named_once(verb, capsys):
    """Its line in the table gives its help and what it does."""
    with pytest.raises(SystemExit) as end:
        parse([verb.name, "--help"])
    assert end.value.code == 0
    assert " ".join(verb.summary.split()) in " ".join(capsys.readouterr().out.split())
    needed = {"predict": ["A [MASK]."]}.get(verb.name, [])
    assert parse([verb.name, *needed]).run is verb.run


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["run", "--train.learning-rat", "1"],
            "there is no --train.learning-rat: did you mean --train.learning-rate?",
        ),
        (["several", "--sourcse", "x"], "there is no --sourcse: did you mean --sources?"),
        (["several", "--at-onec=2"], "there is no --at-onec: did you mean --at-once?"),
        (["models", "--stor", "x"], "there is no --stor: did you mean --store?"),
        (["run", "--no-filter.kep-code"], "did you mean --no-filter.keep-code?"),
        (["plan", "a.yaml", "b.yaml"], "there is no b.yaml"),
        (["several", "--sources"], "--sources: expected at least one argument"),
        (["runn"], "invalid choice: 'runn'"),
        ([], "required: COMMAND"),
    ],
)
def test_what_cannot_be_typed_gets_one_line(arguments, expected, capsys):
    """Exit code 2, the word that nothing takes, and the nearest one that something does."""
    with pytest.raises(SystemExit) as end:
        parse(arguments)
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    message, see = printed.err.splitlines()
    assert expected in message
    assert see.startswith("See `docs-mlm")
