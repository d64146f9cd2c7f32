"""How a stage runs: reused when the store has its result, otherwise built in a scratch folder and committed.

The store decides, not Prefect's own cache: a record in Prefect's database can outlive the files that it
points to, and a new machine has no such database, but a manifest in the store is true everywhere.
In the Prefect UI a reused stage still ends as `Cached`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from prefect.artifacts import create_markdown_artifact
from prefect.exceptions import TerminationSignal
from prefect.states import Completed

from tasks.errors import StoreError, UserError
from tasks.records import Record
from tasks.stage.cancelling import note_cancellation
from tasks.stage.progress import progress_bar
from tasks.stage.retrying import as_task
from tasks.stage.target import Target

R = TypeVar("R", bound=Record)


def run(
    make: Callable[..., R],
    record: type[R],
    target: Target,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    bar: str | None = None,
    card: Callable[[Target, R], str] | None = None,
) -> R:
    """Reuse the target's result, or make and commit it: as a Prefect task, in this thread.

    A target that is to be reused ends at once in the state `Cached`; any other calls `make`, alone: of two
    runs at once the second waits, and then finds the first one's result.
    """

    def work(target: Target, /, *args: Any, **kwargs: Any) -> Any:
        found = target.record if target.action == "reuse" else None
        made = None if found is not None else make_alone(make, target, args, kwargs, bar)
        result = made or record.from_json(found or target.made())
        if card is not None:
            create_markdown_artifact(card(target, result), key=target.stage, description=make.__doc__)
        return made or Completed(name="Cached", message=f"Reused {target.uri}", data=result)

    started = time.monotonic()
    try:
        # Called directly, never submitted: a signal then arrives in the stage itself.
        task = as_task(work, name=make.__name__, description=make.__doc__)
        state: Any = task(target, *args, return_state=True, **kwargs)
        result: R = state.result()
    except TerminationSignal:
        note_cancellation()
        raise
    if state.name != "Cached":
        target.seconds[target.stage] = round(time.monotonic() - started, 3)
    return result


def make_alone(
    make: Callable[..., R], target: Target, args: Sequence[Any], kwargs: Mapping[str, Any], bar: str | None
) -> R | None:
    """What `make` makes, while no other run makes the same; None if another has made it meanwhile."""
    with target.alone():
        # Another run may have made it since the plan, or while this one waited for it.
        if target.stored_record() is not None:
            return None
        with progress_bar(f"{bar}-progress") if bar else nullcontext():
            try:
                return make(target, *args, **kwargs)
            except UserError as error:
                tell_what_stays(error, args)
                raise


def tell_what_stays(error: UserError, args: Sequence[Any]) -> None:
    """Let a user's mistake say too which results of earlier stages, among `args`, the next try reuses."""
    stored = [arg.stage for arg in args if isinstance(arg, Record)]
    if stored and not isinstance(error, StoreError):
        error.args = (
            f"{error}; what was made before stays in the store, and is reused unless its own settings "
            f"change: {', '.join(stored)}",
        )
