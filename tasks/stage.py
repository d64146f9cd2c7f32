"""How a stage runs: reused when the store has its result, otherwise built in a scratch folder and committed.

The store decides, not Prefect's own cache: a record in Prefect's database can outlive the files that it
points to, and a new machine has no such database, but a manifest in the store is true everywhere.
In the Prefect UI a reused stage still ends as `Cached`.
"""

import functools
import logging
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.exceptions import MissingContextError, TerminationSignal
from prefect.states import Completed
from prefect.tasks import exponential_backoff

from tasks.cancelling import note_cancellation
from tasks.errors import DocsMlmError, NetworkError, StoreError
from tasks.records import Record
from tasks.run_progress import current_bar, progress_bar
from tasks.store import Manifest, Store

_DISK_FULL = re.compile(r"No space left|Disk quota exceeded|File too large|os error (28|122|27)\b")
"""What the system says, whichever library passes it on: not all of them keep the error's number."""

P = ParamSpec("P")
R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage of a plan: what its result is called, where it lies, and whether it must be made."""

    stage: str
    key: str
    uri: str
    action: Literal["reuse", "run"]
    why: str
    """In a user's words: what was found, or what changed."""
    store_url: str
    work_dir: str
    settings: dict[str, Any] = field(default_factory=dict)
    """What went into the key, for the manifest."""
    record: dict[str, Any] | None = None
    """The stored record of a stage that is reused."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Shared by the steps of a plan: what each stage took that was made here, filled as the run goes on."""

    @property
    def store(self) -> Store:
        """The store that holds the result."""
        return Store(self.store_url)

    def scratch(self, *parts: str) -> Path:
        """A place under the work folder; may vanish between runs."""
        return Path(self.work_dir).joinpath(*parts)

    def fetch(self, parent: Record) -> Path:
        """A verified local copy of an earlier stage's files, kept in the work folder."""
        stage = parent.uri.removeprefix(self.store.url + "/").split("/")[0]
        return self.store.fetch(parent.uri, self.scratch("fetched", stage, parent.key))

    @contextmanager
    def building(self) -> Iterator[Path]:
        """A fresh scratch folder for the result, removed afterwards.

        Raises:
            StoreError: there is no space left for it.
        """
        self.scratch("building").mkdir(parents=True, exist_ok=True)
        name = tempfile.mkdtemp(dir=self.scratch("building"), prefix=f"{self.stage}-{self.key[:8]}-")
        try:
            yield Path(name)
        except Exception as error:
            if isinstance(error, DocsMlmError) or not _DISK_FULL.search(str(error)):
                raise
            raise StoreError(
                f"no space left in the work folder {self.work_dir}: free some, or choose another with "
                "--work-dir, then run again"
            ) from error
        finally:
            shutil.rmtree(name, ignore_errors=True)

    def alone(self) -> AbstractContextManager[None]:
        """Keep other runs from the same work meanwhile: they wait. Machines that train together do not."""
        return nullcontext() if self.settings.get("nodes", 1) > 1 else self.store.lease(self.uri)

    def stored_record(self) -> dict[str, Any] | None:
        """The result's record if the store has it by now, whoever made it."""
        manifest = self.store.manifest(self.uri)
        return manifest.record if manifest else None

    def made(self) -> dict[str, Any]:
        """The result's record, of a step that was reused or has run, in whatever process.

        Raises:
            StoreError: the store does not have it.
        """
        record = self.record or self.stored_record()
        if record is None:
            raise StoreError(f"nothing complete is stored at {self.uri}: run again")
        return record

    def commit(self, folder: Path, record: R, *, ancestors: dict[str, dict[str, Any]]) -> R:
        """Commit `folder` as this stage's result, and return its record.

        The parents' own ancestors are added from their manifests, so that the chain stays whole.
        """
        chain: dict[str, dict[str, Any]] = {}
        for parent in ancestors.values():
            if manifest := self.store.manifest(parent["uri"]):
                chain |= manifest.ancestors
        manifest = Manifest(
            stage=self.stage,
            key=self.key,
            record=record.as_json(),
            ancestors=chain | ancestors,
            settings=self.settings,
        )
        written = self.store.commit(folder, self.uri, manifest, told=_upload_told(folder))
        return type(record).from_json(written.record)


def ancestors_of(*parents: Record) -> dict[str, dict[str, Any]]:
    """The records of `parents` by stage, for a manifest."""
    return {parent.uri.rsplit("/", 2)[1]: parent.as_json() for parent in parents}


def stage(
    record_type: type[R],
    *,
    retries: int = 0,
    card: Callable[[Step, R], str] | None = None,
    bar: str | None = None,
) -> Callable[[Callable[Concatenate[Step, P], R]], Callable[Concatenate[Step, P], R]]:
    """Make a Prefect task of a function that builds one stage's result.

    A step that is to be reused ends at once in the state `Cached`; any other calls the function, alone:
    of two runs at once the second waits, and then finds the first one's result.
    With `card`, the Markdown that it makes of step and record becomes an artifact of the run, named after
    the stage. With `bar`, what it tells of its progress moves the artifact `<bar>-progress` while it builds.
    Network faults are tried `retries` more times, 2, 4, 8, … seconds apart; nothing else is.
    """

    def decorate(build: Callable[Concatenate[Step, P], R]) -> Callable[Concatenate[Step, P], R]:
        @task(
            name=build.__name__,
            description=build.__doc__,
            retries=retries,
            retry_delay_seconds=exponential_backoff(2),
            retry_jitter_factor=0.5,
            retry_condition_fn=is_network_fault,
        )
        def run(step: Step, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            result: Any = None
            found = step.record if step.action == "reuse" else None
            if found is None:
                with step.alone():
                    # Another run may have made it since the plan, or while this one waited for it.
                    found = step.stored_record()
                    if found is None:
                        with progress_bar(f"{bar}-progress") if bar else nullcontext():
                            result = record = build(step, *args, **kwargs)
            if found is not None:
                record = record_type.from_json(found)
                result = Completed(name="Cached", message=f"Reused {step.uri}", data=record)
            if card is not None:
                create_markdown_artifact(card(step, record), key=step.stage, description=build.__doc__)
            return result

        @functools.wraps(build)
        def call(step: Step, /, *args: P.args, **kwargs: P.kwargs) -> R:
            # Called directly, never submitted: a signal then arrives in the stage itself.
            started = time.monotonic()
            try:
                state = run(step, *args, return_state=True, **kwargs)
                result: R = state.result()
            except TerminationSignal:
                note_cancellation()
                raise
            if state.name != "Cached":
                step.seconds[step.stage] = round(time.monotonic() - started, 3)
            return result

        return call

    return decorate


def _upload_told(folder: Path) -> Callable[[int], None]:
    """What moves the stage's bar while `folder` is uploaded, told of the bytes that have just gone."""
    bar, gone = current_bar(), 0
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    def told(count: int) -> None:
        # Called by threads; a figure that is off for a moment does no harm.
        nonlocal gone
        gone += count
        if bar is not None:
            bar.tell(f"Stored {min(gone, total) / 1e6:,.1f} of {total / 1e6:,.1f} MB", gone / max(total, 1))

    return told


def is_network_fault(_task: Any, _run: Any, state: Any) -> bool:
    """Whether a failed task run is worth another try; a plain function, as Prefect needs it.

    Not where the store was away: each request to it has been tried again for minutes.
    """
    error = state.result(raise_on_failure=False)
    return isinstance(error, NetworkError) and not isinstance(error, StoreError)


def stage_logger() -> logging.Logger | logging.LoggerAdapter[logging.Logger]:
    """The run's logger inside a run, which the Prefect UI shows; a plain one outside."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("docs_mlm")


def _without_traceback(record: logging.LogRecord) -> bool:
    """Drop Prefect's traceback of an error whose message says it all; its state's message remains."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, DocsMlmError)


for _name in ("prefect.task_runs", "prefect.flow_runs"):
    logging.getLogger(_name).addFilter(_without_traceback)
