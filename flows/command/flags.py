"""A parser whose mistakes are one line, and whose help is one screen where there are a hundred settings."""

import argparse
import difflib
import re
import sys
import textwrap
from itertools import groupby
from typing import Any, NoReturn

from flows.command.faults import own_version
from tasks.errors import scrubbed

ALL = "--help-all"
MOST_USED = (
    "--source.url",
    "--source.ref",
    "--source.folder",
    "--source.include",
    "--filter.min-chars",
    "--tokenize.max-seq-length",
    "--model.name-or-path",
    "--train.num-train-epochs",
    "--train.max-steps",
    "--train.learning-rate",
    "--publish.export-texts",
)
"""What most runs need, with what it does; of the other settings a first help has the names."""


_WRONG_CHOICE = re.compile(r"invalid choice: '([^']*)' \(choose from (.*)\)")
_QUOTED = re.compile(r"[\w-]+")


class WholeHelp(argparse.Action):
    """Every setting with what it does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """End with exit code 0."""
        sys.stdout.write(parser.format_help())
        raise SystemExit(0)


class Version(argparse.Action):
    """The version, which is read from the installation only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """End with exit code 0."""
        sys.stdout.write(f"docs-mlm {own_version()}\n")
        raise SystemExit(0)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and name the nearest flag, instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        if (choice := _WRONG_CHOICE.search(message)) is not None:
            near = difflib.get_close_matches(choice[1], _QUOTED.findall(choice[2]), n=1)
            message += f": did you mean {near[0]}?" if near else ""
        sys.stderr.write(f"error: {scrubbed(message)}\nSee `{self.prog} --help`.\n")
        raise SystemExit(2)

    def refuse(self, unknown: list[str]) -> NoReturn:
        """End with the first argument that nothing takes, and the flag that it may have meant."""
        flag = unknown[0].split("=")[0]
        flags = re.findall(r"(?<![\w-])--\w[\w.-]*", self.format_help())
        near = difflib.get_close_matches(flag, flags, n=1)
        self.error(f"there is no {flag}" + (f": did you mean {near[0]}?" if near else ""))

    def print_help(self, file: Any = None) -> None:
        """All of it, or the short one where `--help-all` can be asked for."""
        short = ALL in self._option_string_actions
        self._print_message(self.short_help() if short else self.format_help(), file or sys.stdout)

    def short_help(self) -> str:
        """The most used settings with what they do, and the names of the others, group by group."""
        named = {action.option_strings[0]: action for action in self._actions if action.option_strings}
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        formatter.start_section("arguments")
        formatter.add_arguments(action for action in self._actions if not action.option_strings)
        formatter.end_section()
        formatter.start_section("options")
        formatter.add_arguments(action for name, action in named.items() if "." not in name)
        formatter.end_section()
        formatter.start_section("the settings that are used most")
        formatter.add_arguments(named[name] for name in MOST_USED if name in named)
        formatter.end_section()
        others = [name for name in named if "." in name and name not in MOST_USED]
        parts = [formatter.format_help()]
        for stage, names in groupby(others, key=lambda name: name.removeprefix("--").split(".")[0]):
            listed = textwrap.fill(
                f"more of {stage}: {'  '.join(names)}", 78, subsequent_indent="  ",
                break_on_hyphens=False, break_long_words=False,
            )  # fmt: skip
            parts.append(listed)
        return "\n".join([*parts, f"\n`{self.prog} {ALL}` says what each of them does.\n"])
