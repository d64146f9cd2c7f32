"""What can be typed: every verb is named once, help is there at once, and a mistake gets one line."""

import re
import shlex
import subprocess
import sys
from importlib.metadata import version

import pytest
import shtab

from flows.command.flags import MOST_USED
from flows.command.parser import VERBS, parse, whole_parser
from flows.presets import read_settings_file
from tasks.errors import UserError
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


def test_a_plan_needs_no_prefect_and_no_torch(tmp_path):
    """To plan a run on a folder, nothing is imported that only doing it needs."""
    for name, text in DOCUMENTS.items():
        (tmp_path / "markdown" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "markdown" / name).write_text(text)
    source = ["--source.folder", str(tmp_path / "markdown"), "--store", str(tmp_path / "store")]
    found, printed = imported(HEAVY, "plan", "demo", *source)
    assert found == set()
    assert "nothing is stored yet" in printed


def test_the_settings_are_loaded_by_the_verbs_that_have_them():
    """A search is asked often: what makes a hundred flags takes longer to load than the answer."""
    for arguments in (["--help"], ["search", "--help"], ["predict", "--help"]):
        found, _ = imported(HEAVY | {"pydantic", "pydantic_settings", "tasks.settings"}, *arguments)
        assert found == set()


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_verb_is_named_once(verb, capsys):
    """Its line in the table gives its help and what it does."""
    with pytest.raises(SystemExit) as end:
        parse([verb.name, "--help"])
    assert end.value.code == 0
    assert " ".join(verb.summary.split()) in " ".join(capsys.readouterr().out.split())
    needed = {"predict": ["A [MASK]."], "search": ["a key"], "completion": ["bash"]}.get(verb.name, [])
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
        (["preveiw"], "invalid choice: 'preveiw'"),
        (["preveiw"], "did you mean preview?"),
        (["completion", "bsh"], "did you mean bash?"),
        (["--debug"], "required: COMMAND"),
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


def test_no_word_at_all_gets_the_help(capsys):
    """Whoever types the command's name alone is told what there is; a script sees that it was a mistake."""
    with pytest.raises(SystemExit) as end:
        parse([])
    assert end.value.code == 2
    printed = capsys.readouterr().err
    assert all(verb.name in printed for verb in VERBS)


@pytest.mark.parametrize(
    ("word", "flag"),
    [
        ("https://h.invalid/docs.git", "--source.url https://h.invalid/docs.git"),
        ("git@h.invalid:docs.git", "--source.url git@h.invalid:docs.git"),
        (".", "--source.folder ."),
        ("settings.yml", None),
    ],
)
def test_a_source_in_the_place_of_a_settings_file_is_told_its_flag(word, flag):
    """`run` takes a settings file there; who gives a source is told how, and who errs in a name is not."""
    with pytest.raises(UserError) as raised:
        read_settings_file(word)
    assert ("type --source" in str(raised.value)) == (flag is not None)
    assert flag is None or str(raised.value).endswith(flag)


def helped(capsys, *arguments: str) -> str:
    """What a call prints that ends with code 0."""
    with pytest.raises(SystemExit) as end:
        parse(list(arguments))
    assert end.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("verb", ["run", "plan", "several"])
def test_the_first_help_is_short_and_names_every_setting(verb, capsys):
    """What is used most comes first, with what it does; the others by name, and all of it in `--help-all`."""
    short, whole = helped(capsys, verb, "--help"), helped(capsys, verb, "--help-all")
    flags = set(re.findall(r"^  (--[a-z][\w.-]+)", whole, re.MULTILINE))
    assert len(flags) > 70
    assert flags <= set(re.findall(r"--[a-z][\w.-]+", short))
    assert len(short.splitlines()) < 110 < len(whole.splitlines())
    places = [short.index(f"  {flag} ") for flag in ("--store", *MOST_USED)] + [
        short.index("more of source:")
    ]
    assert places == sorted(places)
    assert "Peak of the schedule" in short


def test_the_version_is_the_installed_one(capsys):
    """`--version` is there without a verb."""
    assert helped(capsys, "--version") == f"docs-mlm {version('docs-mlm')}\n"


def completed(script: str, *words: str) -> set[str]:
    """What bash offers for the last of some words."""
    ask = (
        f"{script}\nCOMP_WORDS=({' '.join(map(shlex.quote, words))})\nCOMP_CWORD={len(words) - 1}\n"
        f"_shtab_docs_mlm docs-mlm {shlex.quote(words[-1])} {shlex.quote(words[-2])}\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash"], input=ask, check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_bash_completes_verbs_flags_and_choices():
    """What `completion bash` prints makes a real bash know every verb, every flag and every choice."""
    done = subprocess.run(
        [sys.executable, "-m", "flows.command", "completion", "bash"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert completed(done.stdout, "docs-mlm", "") == {verb.name for verb in VERBS}
    assert completed(done.stdout, "docs-mlm", "ve") == {"verify"}
    assert completed(done.stdout, "docs-mlm", "run", "--train.learning") == {"--train.learning-rate"}
    assert completed(done.stdout, "docs-mlm", "completion", "z") == {"zsh"}


def test_a_script_for_zsh_names_every_verb():
    """There is one for zsh too."""
    script = shtab.complete(whole_parser(), shell="zsh")
    assert script.startswith("#compdef docs-mlm")
    assert all(verb.name in script for verb in VERBS)
