"""What a stage is: its result's name, version and ingredients, said once, at the function that makes it.

A result's key is the SHA-256 of the parents' keys, the settings that change the result and the stage's
version, cut to 16 bytes (collisions of chance stay out of reach, names stay readable). No folder, secret,
worker count or log setting is in a key, so a result made on one machine is found from every other.
Declaring a stage imports no Prefect: only calling it does.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from tasks.records import Record
from tasks.stage.target import Target

P = ParamSpec("P")
R = TypeVar("R", bound=Record)
Recipe = dict[str, Any]
"""What goes into a result's key besides its parents' keys, as JSON-ready values."""


@dataclass(frozen=True, eq=False)
class Stage(Generic[P, R]):
    """One stage: what its result is, what that is made of, and the function that makes it."""

    make: Callable[Concatenate[Target, P], R]
    record: type[R]
    """`record.stage` is the result's name, and its folder in the store: `corpus`."""
    version: int
    """Bump it when `make` makes another result of the same input: `tests/golden` sees to that."""
    recipe: Callable[..., Recipe]
    """What goes into the key besides the parents: of the settings, the source, the model."""
    parents: tuple[type[Record], ...] = ()
    """The records that it is made of; one that a plan does not have is left out of the key."""
    bar: str | None = None
    """What it tells of its progress moves the artifact `<bar>-progress`."""
    card: Callable[[Target, R], str] | None = None
    """The Markdown that it makes becomes an artifact of the run, named after the result."""

    def key(self, recipe: Recipe, keys: Mapping[type[Record], str]) -> str:
        """The result's key (32 hexadecimal digits), from the keys of those parents that the plan has."""
        of = [keys[parent] for parent in self.parents if parent in keys]
        made_of: Recipe = {} if not of else {"parent": of[0]} if len(of) == 1 else {"parents": of}
        whole = {"stage": self.record.stage, "version": self.version, **made_of, **recipe}
        text = json.dumps(whole, sort_keys=True, ensure_ascii=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def __call__(self, target: Target, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Reuse the target's result, or make and commit it, as a Prefect task (`running.py`)."""
        from tasks.stage.running import run

        return run(self.make, self.record, target, args, kwargs, bar=self.bar, card=self.card)


def stage(
    record: type[R], *, version: int, recipe: Callable[..., Recipe] = dict, **how: Any
) -> Callable[[Callable[Concatenate[Target, P], R]], Stage[P, R]]:
    """Declare the stage that a function is; `how` is the rest of what `Stage` tells of it."""
    return lambda make: Stage(make, record, version, recipe, **how)
