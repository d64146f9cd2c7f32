"""The arrows of the house go one way: a module imports its own room and lower layers, and nothing else."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = (
    ("tasks/errors.py", "tasks/records.py", "tasks/boundaries.py"),
    ("tasks/machine.py", "tasks/cards.py", "tasks/front_matter.py", "tasks/exported.py"),
    ("tasks/store",),
    ("tasks/stage",),
    ("tasks/models", "tasks/training", "tasks/retrieval"),
    (),  # the stages: every other folder of tasks/
    ("tasks/settings.py",),
    ("tasks/run",),
    ("flows",),
    ("flows/command",),
)
"""From the lowest up. A room is a folder or a file; its subfolders are rooms of their own where named."""
STAGES = 5


def modules(root: Path) -> list[Path]:
    """The Python files of a checkout's rooms."""
    return sorted([*root.glob("tasks/**/*.py"), *root.glob("flows/**/*.py")])


def room_of(path: Path) -> tuple[int, str]:
    """The layer and the room of a file or folder, given from the checkout's top."""
    text = path.as_posix()
    named = [
        (layer, room)
        for layer, rooms in enumerate(LAYERS)
        for room in rooms
        if text == room or text.startswith(f"{room}/")
    ]
    if named:
        return max(named, key=lambda found: len(found[1]))
    return STAGES, "/".join(path.parts[:2])


def imports(root: Path, path: Path) -> Iterator[Path]:
    """The files of the same checkout that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            pytest.fail(f"{path}: a relative import hides which room it is from")
        for name in names:
            if name.split(".")[0] in ("tasks", "flows"):
                yield file_of(root, name)


def file_of(root: Path, name: str) -> Path:
    """The file that a dotted name is, or is in, from the checkout's top."""
    parts = name.split(".")
    for end in (len(parts), len(parts) - 1):
        place = Path(*parts[:end])
        if (root / place.with_suffix(".py")).is_file():
            return place.with_suffix(".py")
        if end and (root / place / "__init__.py").is_file():
            return place / "__init__.py"
    return Path(*parts)


def wrong_imports(root: Path) -> list[str]:
    """Every import that goes up, or sideways into another room."""
    found = []
    for path in modules(root):
        own = path.relative_to(root)
        layer, room = room_of(own)
        for other in imports(root, path):
            there, its_room = room_of(other)
            if its_room == room or there < layer:
                continue
            found.append(f"{own} ({room}) imports {other} ({its_room})")
    return found


def circle(root: Path) -> list[str]:
    """The files of a circle of imports, or none."""
    arrows = {
        path.relative_to(root): {other for other in imports(root, path) if other != path.relative_to(root)}
        for path in modules(root)
    }
    done: set[Path] = set()

    def walk(path: Path, trail: list[Path]) -> list[Path]:
        if path in trail:
            return [*trail[trail.index(path) :], path]
        if path in done:
            return []
        for other in sorted(arrows.get(path, ())):
            if found := walk(other, [*trail, path]):
                return found
        done.add(path)
        return []

    return next((list(map(str, found)) for path in sorted(arrows) if (found := walk(path, []))), [])


def busy_inits(root: Path) -> list[str]:
    """Every `__init__.py` that holds more than a docstring."""
    return [
        str(path.relative_to(root))
        for path in modules(root)
        if path.name == "__init__.py"
        and not (
            len(body := ast.parse(path.read_text(encoding="utf-8")).body) == 1
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        )
    ]


def private_imports(root: Path) -> list[str]:
    """Every import of a library's private module, or of a private name in one."""
    found = []
    for path in modules(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [
                f"{path.relative_to(root)}: {name}"
                for name in names
                if name.split(".")[0] not in ("tasks", "flows")
                and any(part.startswith("_") and not part.endswith("__") for part in name.split("."))
            ]
    return found


def test_a_module_imports_its_own_room_and_lower_layers():
    """So no stage imports another, nothing below knows a stage, and tasks know nothing of flows."""
    assert wrong_imports(ROOT) == []


def test_no_files_import_each_other_in_a_circle():
    """Each file can be read after those that it imports."""
    assert circle(ROOT) == []


def test_private_parts_of_libraries_are_imported_in_one_place():
    """Prefect has no public way to say that a run is cancelled; the file that says so says why."""
    assert private_imports(ROOT) == ["tasks/stage/cancelling.py: prefect._internal.control_listener"]


def test_an_init_is_a_docstring_alone():
    """Importing one module of a room costs nothing of the others."""
    assert busy_inits(ROOT) == []


@pytest.fixture
def copy(tmp_path):
    """The rooms as they are, to be broken."""
    for path in modules(ROOT):
        place = tmp_path / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("tasks/filter_markdown/cleaning.py", "from tasks.clone_docs.documents import Counts"),
        ("tasks/filter_markdown/cleaning.py", "import tasks.tokenize_corpus.cutting"),
        ("tasks/train_model/job.py", "from tasks.settings import Settings"),
        ("tasks/stage/target.py", "from tasks.models import pinned"),
        ("tasks/store/folders.py", "from tasks.stage.log import stage_logger"),
        ("tasks/records.py", "from tasks.machine import usable_cores"),
        ("tasks/run/plan.py", "from flows.presets import preset_names"),
        ("flows/adapt.py", "from flows.command.main import main"),
        ("tasks/models/weights.py", "from tasks.training import hardware"),
    ],
)
@pytest.mark.parametrize("inside", [False, True], ids=["at the top", "in a function"])
def test_a_wrong_import_is_seen(copy, file, line, inside):
    """Wherever it stands, an import from another stage or from above is named."""
    with (copy / file).open("a", encoding="utf-8") as stream:
        stream.write(f"\n\ndef broken():\n    {line}\n" if inside else f"\n{line}\n")
    (found,) = wrong_imports(copy)
    assert found.startswith(f"{file} (")


def test_a_circle_is_seen(copy):
    """Two files of one room that import each other are named."""
    with (copy / "tasks/store/manifest.py").open("a", encoding="utf-8") as stream:
        stream.write("\n\ndef broken():\n    from tasks.store.folders import Store\n")
    found = circle(copy)
    assert found[0] == found[-1]
    assert {"tasks/store/manifest.py", "tasks/store/folders.py"} <= set(found)


@pytest.mark.parametrize("line", ["import git._x", "from git.cmd import _y", "from s3fs._z import a"])
def test_a_private_import_is_seen(copy, line):
    """A private module or name of a library is named, wherever it is imported."""
    with (copy / "tasks/run/plan.py").open("a", encoding="utf-8") as stream:
        stream.write(f"\n\ndef broken():\n    {line}\n")
    assert [found for found in private_imports(copy) if found.startswith("tasks/run/plan.py: ")]


def test_a_busy_init_is_seen(copy):
    """An `__init__.py` that imports is named."""
    with (copy / "tasks/run/__init__.py").open("a", encoding="utf-8") as stream:
        stream.write("from tasks.run.plan import make_plan\n")
    assert busy_inits(copy) == ["tasks/run/__init__.py"]


LONGEST_FILE, LONGEST_FUNCTION, MOST_NAMES = 300, 50, 25
REASON = re.compile(r"# (?:long|many names):? .{10,}")
"""What stands above a function that is larger, with its reason."""


def local_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """The names that a function takes and makes, those of its inner functions too."""
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node is not function:
            found.add(node.name)
    return found


def too_large(path: Path) -> list[str]:
    """A file, and its functions, that are too large to be read, unless a reason stands above them."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    found = [f"{path.name}: {len(lines)} lines"] if len(lines) > LONGEST_FILE else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length, names = (node.end_lineno or 0) - node.lineno + 1, len(local_names(node))
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            excused = REASON.search(lines[first - 2]) if first > 1 else None
            if (length > LONGEST_FUNCTION or names > MOST_NAMES) and not excused:
                found.append(f"{path.name}: {node.name} has {length} lines and {names} names")
    return found


def test_files_and_functions_can_be_read():
    """No file is above 300 lines, no function above 50 lines or 25 names, but with a reason above it."""
    assert [line for path in modules(ROOT) for line in too_large(path)] == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("def f():\n" + "    pass\n" * 50, 1),
        ("# long: a table of fifty things, a line each\ndef f():\n" + "    pass\n" * 50, 0),
        ("def f(a, *b, **c):\n    " + " = ".join(f"n{n}" for n in range(23)) + " = 0\n", 1),
        ("def f():\n" + "    pass\n" * 49, 0),
        ("pass\n" * 301, 1),
    ],
)
def test_what_is_too_large_is_seen(tmp_path, source, count):
    """Lines and names are counted; a reason above a function excuses it."""
    (tmp_path / "a.py").write_text(source)
    assert len(too_large(tmp_path / "a.py")) == count


def test_flows_read_no_environment():
    """What a flow does is decided by its arguments; only the command sets up its process."""
    for path in ROOT.glob("flows/*.py"):
        assert not re.search(r"os\.environ|getenv", path.read_text(encoding="utf-8")), path.name


def test_every_package_is_installed():
    """The named packages are exactly the folders with Python files, and the presets."""
    with (ROOT / "pyproject.toml").open("rb") as stream:
        named = set(tomllib.load(stream)["tool"]["setuptools"]["packages"])
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in modules(ROOT)}
    assert named == folders | {"flows.preset_files"}


def test_no_module_is_called_like_a_library():
    """Prefect puts a flow's folder first on the path, where a namesake would hide the library."""
    taken = {"tokenize", "datasets", "markdown", "tasks", "prefect", "torch", "git", "yaml", "transformers"}
    taken |= {"secrets", "parser", "code", "select", "signal"}
    assert not taken & {path.stem for path in ROOT.glob("flows/*.py")}


def test_the_top_level_has_only_its_rooms():
    """Nothing lies at the top but the four rooms and the usual small files."""
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))}
    assert rooms - {"build", "docs_mlm.egg-info"} == {"flows", "tasks", "tests", "deployments"}
