"""Who watches a run in a terminal sees bars; a log file gets lines."""

import os
import pty
import re
import subprocess
import sys
import threading

import pytest

from flows.command.main import QUIET
from tests.flows.conftest import DOCUMENTS

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def line(tmp_path):
    """A run of seconds, as a command line."""
    folder = tmp_path / "markdown"
    for name, text in DOCUMENTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    small = ["--train.max-steps", "2", "--tokenize.max-seq-length", "48", "--train.precision", "fp32"]
    small += ["--model.from-scratch.vocab-size", "300", "--model.from-scratch.hidden-size", "32"]
    small += ["--model.from-scratch.num-attention-heads", "2"]
    command = [sys.executable, "-m", "flows.command", "run", "demo", *small, "--json"]
    return [*command, "--source.folder", str(folder), "--store", str(tmp_path / "store")]


def seen_in_a_terminal(line: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
    """The exit code, standard output, and what a terminal got as standard error."""
    own, theirs = pty.openpty()
    process = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    shown = []

    def read() -> None:
        try:
            while part := os.read(own, 65536):
                shown.append(part)
        except OSError:  # how the end of a terminal looks
            pass

    reader = threading.Thread(target=read)
    reader.start()
    out = process.communicate()[0]
    reader.join()
    os.close(own)
    return process.returncode, out, b"".join(shown).decode()


def test_a_person_sees_bars_and_a_file_gets_lines(line, server_url, tmp_path):
    """In a terminal each stage has a bar, above which the log goes on; in a file there is no control code.

    Standard output is the same, and at once it is said what is being started.
    """
    environment = os.environ | QUIET | {
        "PREFECT_API_URL": server_url, "DOCS_MLM_WORK_DIR": str(tmp_path / "work"),
        "TERM": "xterm", "COLUMNS": "120",
    }  # fmt: skip
    code, out, err = seen_in_a_terminal(line, environment)
    assert code == 0, err
    assert out.startswith("{")
    plain = ESCAPES.sub("", err)
    for stage in ("clone", "filter", "tokenize", "train"):
        assert re.search(rf"^ *{stage} ━+ 100% ", plain, re.MULTILINE), plain
    again = [*line[:-1], str(tmp_path / "other")]
    done = subprocess.run(again, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("{")
    assert "\x1b" not in done.stderr
    assert "━" not in done.stderr
    logged = [line for line in done.stderr.splitlines() if " | " in line]
    assert logged
    assert done.stderr.splitlines()[:4] == [
        "Looking at source, model and store ...",
        "Loading Prefect ...",
        f"Asking Prefect at {server_url} ...",
        "Loading the stages ...",
    ]
    # Each line of the log stands alone: no bar was written into it.
    for text in plain.replace("\r", "\n").splitlines():
        assert not (" | " in text and "━" in text), text
