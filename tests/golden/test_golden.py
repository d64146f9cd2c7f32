"""A changed stage is noticed: another result of the same input is another version."""

import ast
import dis
import importlib
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from tasks.filter_markdown.dialects.known import names
from tasks.stage.stage import Stage
from tests.golden import versions
from tests.golden.making import MAKERS, Line, Made, corpora

ROOT = Path(__file__).parents[2]
RULES = (
    "attributes", "blocks", "boilerplate", "cleaning", "decoding", "dropping", "frames", "groups",
    "html_text", "inline_html",
    "judging", "languages", "layout", "near_duplicates", "places", "reading", "rules", "tags", "templates",
    *(f"dialects.{name}" for name in names()),
)  # fmt: skip
"""The files of `tasks/filter_markdown` that decide what stays of a document."""


def every_stage() -> list[Stage[Any, Any]]:
    """All stages that are declared anywhere in `tasks/`."""
    found = []
    for path in sorted(ROOT.glob("tasks/**/*.py")):
        if any(
            isinstance(node, ast.FunctionDef) and "stage" in {_name(d) for d in node.decorator_list}
            for node in ast.parse(path.read_text(encoding="utf-8")).body
        ):
            module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
            found += [value for value in vars(module).values() if isinstance(value, Stage)]
    return list(dict.fromkeys(found))


def _name(decorator: ast.expr) -> str:
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return getattr(function, "id", "")


STAGES = every_stage()


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Line:
    """A store in which the stages run."""
    return Line(tmp_path_factory.mktemp("line"))


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.make.__name__)
def test_a_stage_makes_what_its_version_says(stage: Stage[Any, Any], line: Line) -> None:
    """Old keys must not find another result: it takes another version."""
    name = stage.make.__name__
    assert stage in MAKERS, f"{name} has no golden result: write one in tests/golden/making.py"
    pinned = versions.read().get(name, {}).get(str(stage.version))
    assert pinned is not None, f"version {stage.version} of {name} is not pinned: `make golden` does it"
    made = MAKERS[stage](line)
    assert made.digest == pinned["digest"], (
        f"{name} makes another result: raise `version` where it is declared, then `make golden`"
    )
    assert made.near == pytest.approx(pinned.get("near", {}), rel=0.02), (
        f"{name} learns otherwise: raise `version` where it is declared, then `make golden`"
    )


def test_a_version_is_never_pinned_anew() -> None:
    """What is pinned stays; only a version that has nothing yet gets it."""
    pinned = {"corpus": {"1": {"digest": "a"}}}
    assert versions.added(pinned, "corpus", 2, Made([1]))["corpus"]["2"]["digest"] == Made([1]).digest
    with pytest.raises(SystemExit, match="raise `version`"):
        versions.added(pinned, "corpus", 1, Made([1]))


class Walked:
    """The lines of some files that are executed within."""

    def __init__(self, files: list[Path]) -> None:
        self.lines: dict[str, set[int]] = {str(path): set() for path in files}

    def __enter__(self) -> "Walked":
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, _event: str, _argument: object) -> Any:
        return self._line if frame.f_code.co_filename in self.lines else None

    def _line(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line":
            self.lines[frame.f_code.co_filename].add(frame.f_lineno)
        return self._line


def lines_in_functions(path: Path) -> dict[int, str]:
    """The lines of a file that run when its functions are called, and the function that each is in."""
    found: dict[int, str] = {}

    def walk(code: CodeType, function: str) -> None:
        if function:
            starts = {number for _, number in dis.findlinestarts(code) if number is not None}
            found.update(dict.fromkeys(starts - {code.co_firstlineno}, function))
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                is_class = "__qualname__" in constant.co_names
                walk(constant, "" if is_class else function or constant.co_name)

    walk(compile(path.read_text(encoding="utf-8"), str(path), "exec"), "")
    return found


HOW = {"judge_all", "_batched", "one_group", "sides_warning"}
"""Functions that say how the work is done (in how many processes, with what installed), not its result."""
UNREACHED = (
    "except BaseException as error:",  # a parser that panics: no known input brings it about
    'if type(error).__name__ != "PanicException":',
    "raise",
    "return None",
    'return dropped("unparsable")',
    'return "too_large"',  # a text that cleaning has made longer than its source may be
    "chosen[np.argmax(positions)] = False",  # of so many groups not all are held out
    "yield _apart(first, order, known)",  # no crowd
    "raise UserError(one_group(len(paths), eval_fraction))",  # an error, and no result
)
"""Lines that no golden document can reach."""


def test_the_golden_documents_walk_every_rule(tmp_path: Path) -> None:
    """Each rule of cleaning and dropping is needed by one of them: another could change unseen."""
    files = [ROOT / "tasks" / "filter_markdown" / f"{name.replace('.', '/')}.py" for name in RULES]
    for name in RULES:  # what an earlier test left in a cache would not be walked again
        for value in vars(importlib.import_module(f"tasks.filter_markdown.{name}")).values():
            getattr(value, "cache_clear", lambda: None)()
    fresh = Line(tmp_path)
    fresh.snapshot  # noqa: B018 - only the filter is watched
    with Walked(files) as walked:
        corpora(fresh)
    missed = []
    for path in files:
        source = path.read_text(encoding="utf-8").splitlines()
        for number, function in sorted(lines_in_functions(path).items()):
            text = source[number - 1].strip()
            if number not in walked.lines[str(path)] and function not in HOW and text not in UNREACHED:
                missed.append(f"{path.name}:{number}: {text}")
    assert missed == [], "\n".join(missed)
