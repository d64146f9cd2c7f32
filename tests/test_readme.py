"""The README's commands work as they are written."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from flows.command.parser import parse

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (.+)$", README, re.MULTILINE)


def test_the_readme_is_short_and_shows_the_demo_early():
    """Within 150 lines, with the demo's command and output by line 25."""
    lines = README.splitlines()
    assert len(lines) <= 150
    assert lines.index("$ make demo") < 25


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_exists(command):
    """Each docs-mlm command parses with its flags, and each make target is there."""
    program, *arguments = shlex.split(command, comments=True)
    if program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in arguments)
    else:
        assert program == "docs-mlm"
        parse(arguments)


def test_every_path_exists():
    """Files and folders that the README names are there."""
    named = re.findall(r"`((?:flows|tasks|tests|deployments)/[\w/.]*)`|\]\((?!http)([\w/.-]+)\)", README)
    paths = [one or other for one, other in named]
    assert len(paths) > 8
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_demo_goes_the_whole_way_and_then_reuses_it(tmp_path):
    """`docs-mlm demo`, cut short, ends with model, filled masks and what to type next; then it reuses all."""
    command = Path(sys.executable).with_name("docs-mlm")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    outputs = []
    for _ in range(2):
        done = subprocess.run(
            [command, "demo", "--max-steps", "10"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    first, second = outputs
    losses = re.search(r"loss +([\d.]+) +([\d.]+)", first)
    assert float(losses[2]) < float(losses[1]) - 1
    assert first.count("[MASK]") >= 4
    assert all(word in first for word in ("kept", "coverage", "Model", "docs-mlm predict --store"))
    assert first.count(" ran ") == 8
    assert second.count(" reused ") == 8
