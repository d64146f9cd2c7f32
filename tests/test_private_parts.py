"""What libraries keep to themselves is taken in one file each, and a test of that file says so."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("train_model", "training", "embed_model", "evaluate_model", "retrieval", "models")
"""The rooms of `tasks/` that work on models, whose libraries change the most."""
DOCUMENTED = {"_exit"}
"""Names that look private and are described by the library's own documentation."""
PRIVATE = {
    ("tasks/train_model/model/attention.py", "_attn_implementation"): (
        "tests/tasks/train_model/model/test_attention.py"
    ),
    ("tasks/training/hardware.py", "_n_gpu"): "tests/tasks/train_model/test_arguments.py",
}
"""What is used, and the test by which another version of the library is met."""


def private_names(path: Path) -> Iterator[str]:
    """The private names that a file takes of anything but its own objects and modules."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_own(node)}
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Attribute) and node.attr not in own:
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [part for alias in node.names for part in alias.name.split(".")]
        yield from (name for name in names if name.startswith("_") and not name.startswith("__"))


def _is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def test_private_parts_of_libraries_are_taken_in_one_place_each() -> None:
    """No file takes one that is not named here, and each that is named has its test."""
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for room in ROOMS
        for path in (ROOT / "tasks" / room).rglob("*.py")
        for name in private_names(path)
        if name not in DOCUMENTED
    }
    assert found == PRIVATE.keys()
    for (_, name), test in PRIVATE.items():
        assert name in (ROOT / test).read_text(encoding="utf-8")
