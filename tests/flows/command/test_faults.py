"""No command ends in a traceback: one line, an exit code, and the rest in a file that the line names."""

import os
import re
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import aiohttp
import botocore.exceptions
import git
import httpx
import httpx2
import huggingface_hub.errors
import prefect.exceptions
import pyarrow
import pydantic
import pytest
import safetensors
import yaml

from flows.command import faults, starting
from flows.command.main import QUIET, main
from flows.command.parser import VERBS
from tests.flows.conftest import DOCUMENTS
from tests.old_server import old_server

NETWORK = [
    httpx.HTTPError("no route"),
    httpx.ConnectError("no route"),
    httpx2.ConnectError("no route"),
    aiohttp.ClientError("no route"),
    botocore.exceptions.EndpointConnectionError(endpoint_url="http://me:password-of-mine@store"),
    botocore.exceptions.HTTPClientError(error="no route"),
    huggingface_hub.errors.OfflineModeIsEnabled("no route"),
    ConnectionError("no route"),
    TimeoutError(),
    OSError(113, "No route to host"),
    socket.gaierror(-2, "Name or service not known"),
    ssl.SSLError("broken"),
    ExceptionGroup("two", [KeyError("x"), httpx.ReadTimeout("no route")]),
]
OTHER = [
    prefect.exceptions.PrefectException("broken"),
    prefect.exceptions.ParameterTypeError("broken"),
    botocore.exceptions.BotoCoreError(),
    botocore.exceptions.ClientError({"Error": {"Code": "Odd", "Message": "broken"}}, "PutObject"),
    pyarrow.ArrowException("broken"),
    pyarrow.ArrowInvalid("broken"),
    safetensors.SafetensorError("broken"),
    git.GitError("broken"),
    git.GitCommandError(["git", "fetch", "https://me:password-of-mine@host/x"], 128),
    yaml.YAMLError("broken"),
    OSError("broken"),
    PermissionError(13, "Permission denied"),
    BrokenPipeError(32, "Broken pipe"),
    RuntimeError("CUDA error: an illegal memory access\nmany\nlines [/x] \udcff"),
    MemoryError(),
    KeyError("x"),
    RecursionError("maximum recursion depth exceeded"),
    Exception(),
]
SECRET = "a-token-of-the-environment"
PLACES = {
    "run": "tasks.run.resolve.make_plan",
    "several": "tasks.run.each.start_run",
    "demo": "tasks.run.resolve.make_plan",
    "plan": "tasks.run.plan.make_plan",
    "preview": "tasks.run.preview.make_preview",
    "predict": "tasks.models.published.local_model",
    "search": "tasks.models.published.chosen_model",
    "models": "tasks.models.published.list_versions",
    "verify": "tasks.models.newest.newest_model",
    "sweep": "tasks.store.care.sweep",
    "completion": "shtab.complete",
}
"""What each verb calls, and what breaks here."""


def unvalidated() -> pydantic.ValidationError:
    """An error of pydantic about nothing that a user gave."""
    try:
        pydantic.TypeAdapter(int).validate_python("broken")
    except pydantic.ValidationError as error:
        return error
    raise NotImplementedError


def answered(status: int) -> httpx.HTTPStatusError:
    """An error about a server's answer."""
    request = httpx.Request("GET", "http://host/")
    return httpx.HTTPStatusError("broken", request=request, response=httpx.Response(status, request=request))


def caused() -> RuntimeError:
    """An error of a library that says in other words that a host did not answer."""
    error = RuntimeError("Failed to reach the API")
    error.__cause__ = httpx.ConnectError("no route")
    return error


EXPECTED = [
    *((error, 3) for error in [*NETWORK, answered(502), answered(429), caused()]),
    *((error, 1) for error in [*OTHER, answered(404), unvalidated()]),
]


@pytest.fixture
def arguments(tmp_path):
    """What to type behind each verb."""
    folder = tmp_path / "markdown"
    folder.mkdir()
    (folder / "page.md").write_text(DOCUMENTS["docs/page-01.md"])
    store = ["--store", str(tmp_path / "store")]
    source = ["demo", "--source.folder", str(folder), *store]
    return {
        "run": source, "plan": source, "several": ["demo", *store, "--sources", str(folder)],
        "preview": [str(folder)], "predict": ["A [MASK].", *store], "search": ["a key", *store],
        "completion": ["bash"],
    } | {verb: store for verb in ("demo", "models", "verify", "sweep")}  # fmt: skip


@pytest.mark.parametrize("verb", PLACES)
def test_what_nobody_foresaw_gets_one_line(verb, arguments, command, monkeypatch, tmp_path):
    """Whatever a library raises, in whatever command: one line, the exit code, and a file with the traceback.

    The line and the file hold no secret, and nobody but its owner reads the file.
    """
    monkeypatch.setenv("GIT_TOKEN", SECRET)
    few = verb in ("run", "several", "demo")  # a run of Prefect takes its time
    for error, expected in EXPECTED[:: 4 if few else 1]:

        def fail(*_args, error=error, **_options):
            raise error from (error.__cause__ or ValueError(f"it was {SECRET}"))

        monkeypatch.setattr(PLACES[verb], fail)
        cause = error.__cause__
        code, out, err = command(verb, *arguments[verb])
        error.__cause__ = cause
        assert (code, out, "Traceback" in err) == (expected, "", False), err
        lines = [line for line in err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, err
        assert err.splitlines()[-1] == lines[0]
        assert type(error).__name__ in lines[0]
        file = Path(re.search(r"all of it is in (\S+docs-mlm-error-\S+\.log)$", lines[0])[1])
        assert file.parent == tmp_path / "work"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        whole = file.read_text()
        assert "Traceback (most recent call last)" in whole
        assert type(error).__name__ in whole
        assert SECRET not in err + whole
        assert "password-of-mine" not in err + whole


def test_every_verb_is_broken_here():
    """A new verb is broken on purpose too."""
    assert set(PLACES) == {verb.name for verb in VERBS}


@pytest.mark.parametrize("before", [True, False])
def test_debug_shows_all(before, arguments, command, monkeypatch):
    """With `--debug`, before the verb or behind it, the traceback is there too; of a meant error as well."""
    monkeypatch.setattr(PLACES["models"], lambda *_: {}["x"])

    def debug(*arguments: str):
        return command("--debug", *arguments) if before else command(*arguments, "--debug")

    code, _, err = debug("models", *arguments["models"])
    assert (code, "Traceback (most recent call last)" in err, "KeyError: 'x'" in err) == (1, True, True)
    code, _, err = debug("verify", *arguments["verify"])
    assert (code, "Traceback (most recent call last)" in err, "no model is published" in err) == (
        2,
        True,
        True,
    )


def test_debug_shows_what_a_run_ended_with(arguments, command, monkeypatch):
    """Prefect's own log shows the traceback then, and only then."""
    monkeypatch.setattr(PLACES["run"], lambda *_: {}["x"])
    shown = []
    monkeypatch.setattr(starting, "show_tracebacks", shown.append)
    assert command("run", *arguments["run"], "--debug")[0] == 1
    assert command("run", *arguments["run"])[0] == 1
    assert shown == [True, False]


def test_a_bug_in_reading_the_arguments_gets_one_line(command, monkeypatch, tmp_path):
    """An error before the verb is known is told in the same way."""
    monkeypatch.setattr("flows.presets.preset_names", lambda: {}["x"])
    code, _, err = command("run", "demo")
    assert (code, len(err.splitlines())) == (1, 1)
    assert "error: unforeseen: KeyError: 'x'; all of it is in" in err


def test_where_nothing_can_be_written_the_line_remains(monkeypatch, tmp_path, capsys):
    """For a work folder that cannot be made the system's own serves; where that fails too, none is named."""
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("DOCS_MLM_WORK_DIR", str(tmp_path / "file" / "work"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert faults.unforeseen(KeyError("x"), None) == 1
    assert f"all of it is in {tmp_path}/docs-mlm-error-" in capsys.readouterr().err
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    assert faults.unforeseen(KeyError("x"), None) == 1
    assert capsys.readouterr().err == "error: unforeseen: KeyError: 'x'; with --debug all of it is shown\n"


def test_a_stop_is_no_fault(arguments, command, monkeypatch):
    """Ctrl-C and an exit are not what nobody foresaw."""

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(PLACES["models"], stop)
    code, _, err = command("models", *arguments["models"])
    assert (code, "error" in err) == (130, False)
    monkeypatch.setattr(PLACES["models"], lambda *_: sys.exit(7))
    with pytest.raises(SystemExit) as end:
        main(["models", *arguments["models"]])
    assert end.value.code == 7


def started(arguments: list[str], work: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own with another environment."""
    settings = os.environ | QUIET | {"DOCS_MLM_WORK_DIR": str(work)} | environment
    line = [sys.executable, "-m", "flows.command", *arguments]
    return subprocess.run(line, env=settings, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("variable", "value", "code", "expected"),
    [
        (
            "PREFECT_API_URL",
            "http://me:password-of-mine@127.0.0.1:9/api",
            3,
            "127.0.0.1:9/api does not answer",
        ),
        ("PREFECT_API_URL", "{root}", 2, "its address ends in /api"),
        ("PREFECT_API_URL", "{root}/api/api", 2, "its address ends in /api"),
        ("PREFECT_API_URL", "127.0.0.1:9", 2, "it is like http://host:4200/api"),
        ("PREFECT_CLIENT_MAX_RETRIES", "many", 2, "many"),
    ],
)
def test_no_server_of_prefect_gets_one_line(variable, value, code, expected, arguments, server_url, tmp_path):
    """A server that does not answer is the network's fault, and an address that is none the user's."""
    value = value.format(root=server_url.removesuffix("/api"))
    done = started(["run", *arguments["run"]], tmp_path / "work", **{variable: value})
    line = done.stderr.splitlines()[-1]
    assert (done.returncode, line.startswith("error: ")) == (code, True), done.stderr
    assert expected in line
    assert "Traceback" not in done.stderr
    assert "password-of-mine" not in done.stderr
    assert not list((tmp_path / "work").glob("docs-mlm-error-*"))


@pytest.mark.parametrize(
    ("verb", "version", "code", "expected"),
    [
        ("run", "3.4.14", 2, "is version 3.4.14, and docs-mlm needs 3.6.17 or newer"),
        ("several", "2.20.4", 2, "is version 2.20.4, and docs-mlm needs 3.6.17 or newer"),
        ("demo", "4.0.0", 2, "is version 4.0.0, and docs-mlm's own Prefect"),
        ("demo", {"detail": "no"}, 2, "its address ends in /api"),
    ],
)
def test_another_version_of_the_server_gets_one_line(verb, version, code, expected, arguments, tmp_path):
    """Before anything runs that an old server would refuse at length, or lose."""
    asked: list[str] = []
    with old_server(version, asked) as url:
        done = started([verb, *arguments[verb]], tmp_path / "work", PREFECT_API_URL=url)
    said, line = done.stderr.splitlines()[:-1], done.stderr.splitlines()[-1]
    assert (done.returncode, expected in line) == (code, True), done.stderr
    said = [words for words in said if not words.startswith("Looking at ")]  # of `run`, before Prefect
    assert (len(said), asked) == (2, []), "after what is loaded and asked nothing else is said, or asked"


def test_a_server_that_is_away_is_named_soon(arguments, tmp_path):
    """Before anything has begun it is asked a few times, not for the minutes that a run is worth."""
    asked: list[str] = []
    with old_server("3.8.8", asked, away=True) as url:
        done = started(["run", *arguments["run"]], tmp_path / "work", PREFECT_API_URL=url)
    assert (done.returncode, "fails (503): try again later" in done.stderr) == (3, True), done.stderr
    assert asked == ["/api/admin/version"] * (1 + starting.ASK_AGAIN)


@pytest.mark.parametrize("verb", ["run", "plan"])
def test_no_hub_gets_one_line(verb, arguments, server_url, tmp_path):
    """Without the hub, the default model is nowhere, and the way out is in the line."""
    given = arguments[verb][1:]  # without the preset, which trains from scratch
    environment = {
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HOME": str(tmp_path),
        "PREFECT_API_URL": server_url,
    }
    done = started([verb, *given], tmp_path / "work", **environment)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert "error: the hub does not answer" in last
    assert "--model.name-or-path" in last
