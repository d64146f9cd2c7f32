"""The arrows of the house go one way."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = (
    "clone_docs",
    "filter_markdown",
    "cache_dataset",
    "tokenize_corpus",
    "train_model",
    "publish_model",
)
MODULES = sorted([*ROOT.glob("tasks/**/*.py"), *ROOT.glob("flows/**/*.py")])


def imports(path: Path) -> set[str]:
    """The modules that a file imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def stage_of(path: Path) -> str | None:
    """The stage that a module belongs to, or None."""
    part = path.relative_to(ROOT / "tasks").parts[0].removesuffix(".py") if "tasks" in path.parts else ""
    return part if part in STAGES else None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_stages_do_not_import_each_other(path):
    """What stages share lies beside them, never in one of them."""
    own = stage_of(path)
    if own is None:
        return
    others = {
        name
        for name in imports(path)
        for stage in STAGES
        if stage != own and (name == f"tasks.{stage}" or name.startswith(f"tasks.{stage}."))
    }
    assert not others


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_tasks_do_not_import_flows(path):
    """Flows know tasks, and tasks know nothing of flows."""
    if path.is_relative_to(ROOT / "tasks"):
        assert not [name for name in imports(path) if name.split(".")[0] == "flows"]


def test_flows_read_no_environment():
    """What a flow does is decided by its arguments; only the command sets up its process."""
    for path in ROOT.glob("flows/*.py"):
        if path.name != "command.py":
            assert not re.search(r"os\.environ|getenv", path.read_text(encoding="utf-8")), path.name


def test_every_package_is_installed():
    """The named packages are exactly the folders with Python files, and the presets."""
    with (ROOT / "pyproject.toml").open("rb") as stream:
        named = set(tomllib.load(stream)["tool"]["setuptools"]["packages"])
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in MODULES}
    assert named == folders | {"flows.preset_files"}


def test_no_module_is_called_like_a_library():
    """Prefect puts a flow's folder first on the path, where a namesake would hide the library."""
    taken = {"tokenize", "datasets", "markdown", "tasks", "prefect", "torch", "git", "yaml", "transformers"}
    assert not taken & {path.stem for path in ROOT.glob("flows/*.py")}


def test_the_top_level_has_only_its_rooms():
    """Nothing lies at the top but the four rooms and the usual small files."""
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))}
    assert rooms - {"build", "docs_mlm.egg-info"} == {"flows", "tasks", "tests", "deployments"}
