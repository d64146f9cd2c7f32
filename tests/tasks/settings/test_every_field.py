"""No setting is without a test that shows what it changes.

A test names the settings whose effect it proves: `@pytest.mark.setting("train.seed")`. This page reads the
marks of all tests beside it, and walks the settings.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from tasks.settings import Settings


def fields_of(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """Every setting, by its path: `train.seed`. A group is no setting itself, unless it may be left out."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        groups = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if field.annotation not in groups:
            yield f"{before}{name}"
        for group in groups:
            yield from fields_of(group, f"{before}{name}.")


def settings_named(source: str) -> dict[str, list[str]]:
    """For each test of a file that names settings, which; a test that is skipped names none.

    Raises:
        ValueError: a setting is not named by a plain string, or what names it is no test.
    """
    named: dict[str, list[str]] = {}
    marked = 0
    tree = ast.parse(source)
    for test in tree.body:
        if not isinstance(test, ast.FunctionDef) or not test.name.startswith("test_"):
            continue
        marks = [ast.unparse(mark).partition("(")[0] for mark in test.decorator_list]
        for mark in test.decorator_list:
            if not isinstance(mark, ast.Call) or ast.unparse(mark.func) != "pytest.mark.setting":
                continue
            marked += 1
            values = [value.value if isinstance(value, ast.Constant) else None for value in mark.args]
            if not values or not all(isinstance(value, str) for value in values):
                raise ValueError(f"{test.name} names a setting by no plain string: {ast.unparse(mark)}")
            if not {"pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"}.intersection(marks):
                named.setdefault(test.name, []).extend(map(str, values))
    if marked != sum(
        ast.unparse(node) == "pytest.mark.setting"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    ):
        raise ValueError("pytest.mark.setting stands where it marks no test")
    return named


FIELDS = list(fields_of(Settings))
NAMED = {
    f"{path.name}::{test}": names
    for path in sorted(Path(__file__).parent.glob("test_*.py"))
    for test, names in settings_named(path.read_text(encoding="utf-8")).items()
}


@pytest.mark.parametrize("field", FIELDS)
def test_every_setting_is_named_by_a_test(field: str) -> None:
    """At least one test proves what each setting changes."""
    assert any(field in names for names in NAMED.values()), (
        f"no test shows what {field} changes: write one in tests/tasks/settings and mark it "
        f'@pytest.mark.setting("{field}")'
    )


@pytest.mark.parametrize("test", NAMED)
def test_every_name_is_that_of_a_setting(test: str) -> None:
    """What a test names is there."""
    assert [name for name in NAMED[test] if name not in FIELDS] == []


def test_the_walk_finds_the_settings() -> None:
    """It goes into groups, and into those that may be left out, which are settings themselves."""
    assert {"store", "train.seed", "model.from_scratch", "model.from_scratch.vocab_size"} <= set(FIELDS)
    assert not {"train", "model"}.intersection(FIELDS)
    assert len(FIELDS) == len(set(FIELDS))
    assert sum(field.startswith("train.") for field in FIELDS) == len(Settings().train.model_dump())


def test_marks_are_read_where_they_count() -> None:
    """Several names, several marks; a skipped test proves nothing; a name that cannot be read is refused."""
    mark, test = '@pytest.mark.setting("a", "b")\n', "def test_it():\n    pass\n"
    assert settings_named(f'{mark}@pytest.mark.setting("c")\n{test}') == {"test_it": ["a", "b", "c"]}
    assert settings_named(f'@pytest.mark.skip(reason="x")\n{mark}{test}') == {}
    assert settings_named(test) == {}
    for source in (
        f"@pytest.mark.setting(NAME)\n{test}",
        f"@pytest.mark.setting()\n{test}",
        f"{mark}def it(): ...\n",
    ):
        with pytest.raises(ValueError, match=r"names a setting by no plain string|marks no test"):
            settings_named(source)
