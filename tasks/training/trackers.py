"""Experiment trackers: each is tried at the start, and none of them stops to ask, or ends or holds up a run.

A tracker that cannot reach its server writes into its folder instead; one that fails is left out. Both are
said in the log.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from transformers import TrainerCallback

from tasks.stage.log import stage_logger
from tasks.training.extras import check_trackers
from tasks.training.processes import ranks

T = TypeVar("T")
ENVIRONMENT = {
    "WANDB_SILENT": "true",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_DISABLE_GIT": "true",
    "WANDB_INIT_TIMEOUT": "15",
    "WANDB_FINISH_TIMEOUT": "15",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}
"""What the environment says if it does not yet. Seconds for W&B's start (90 without a say) and its last
uploads (for ever), and for a request of MLflow (120, tried eight times)."""
USER_IN_URL = re.compile(r"://[^/\s]+@")
LEFT_BEHIND = shutil.ignore_patterns("logs", "tmp", "debug*.log", "latest-run")
"""Of a tracker's files: what W&B notes of its own work, and a link."""


@contextmanager
def tracked(names: list[str], folder: Path) -> Iterator[list[TrainerCallback]]:
    """The Trainer's callbacks for the trackers, which write into `folder` and end with the run.

    Only the first of several processes tells them anything.

    Raises:
        UserError: one of them is not installed.
    """
    check_trackers(names)
    with ExitStack() as stack:
        yield [stack.enter_context(Tracker(name, folder)) for name in names if ranks.rank() == 0]


def keep_tracks(folder: Path, result: Path) -> None:
    """Copy what trackers have written, if anything, into the result's `trackers`."""

    def copy() -> None:
        shutil.copytree(folder, result / "trackers", ignore=LEFT_BEHIND)

    def warn(error: str) -> None:
        stage_logger().warning("Not all trackers' files are kept in the store (%s): see %s", error, folder)

    if folder.is_dir():
        attempt(copy, warn)


class Tracker(TrainerCallback, AbstractContextManager["Tracker"]):
    """One tracker, told of the run until it fails."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._folder, self._stack = name, folder, ExitStack()
        self._told: TrainerCallback | None = None

    def __enter__(self) -> "Tracker":
        """Try the tracker."""
        for variable, value in ENVIRONMENT.items():
            os.environ.setdefault(variable, value)
        start = STARTS[self._name]
        self._told = attempt(lambda: self._stack.enter_context(start(self._folder)), self._leave_out)
        return self

    def __exit__(self, *raised: Any) -> None:
        """End the tracker, and tell it whether the run failed."""
        attempt(lambda: self._stack.__exit__(*raised), self._leave_out)

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Tell it of the settings."""
        self._tell("on_train_begin", *args, **kwargs)

    def on_log(self, *args: Any, **kwargs: Any) -> None:
        """Tell it of a log point."""
        self._tell("on_log", *args, **kwargs)

    def on_save(self, *args: Any, **kwargs: Any) -> None:
        """Tell it of a checkpoint."""
        self._tell("on_save", *args, **kwargs)

    def on_train_end(self, *args: Any, **kwargs: Any) -> None:
        """Tell it of the end."""
        self._tell("on_train_end", *args, **kwargs)

    def _tell(self, event: str, *args: Any, **kwargs: Any) -> None:
        if (told := self._told) is not None:
            attempt(lambda: getattr(told, event)(*args, **kwargs), self._leave_out)

    def _leave_out(self, error: str) -> None:
        stage_logger().warning("Tracker %s failed (%s): the run goes on without it", self._name, error)
        self._told = None


def attempt(act: Callable[[], T], otherwise: Callable[[str], T]) -> T:
    """The one place where trackers are called: what `act` returns, or what `otherwise` makes of its error."""
    try:
        return act()
    # A tracker may raise anything: its own errors share no base class, and those of its HTTP client,
    # database and disk come through. None of them is worth a run.
    except Exception as error:  # noqa: BLE001
        words = described(error)
    return otherwise(words)


def described(error: Exception) -> str:
    """An error in one line, without the user and password of a tracker's URL."""
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {USER_IN_URL.sub('://', first)[:300]}"


@contextmanager
def _tensorboard(folder: Path) -> Iterator[TrainerCallback]:
    """Event files in `folder/tensorboard`."""
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations import TensorBoardCallback

    place = os.environ.get("TENSORBOARD_LOGGING_DIR") or str(folder / "tensorboard")
    with SummaryWriter(place) as writer:
        stage_logger().info("TensorBoard's files: %s", place)
        yield TensorBoardCallback(writer)


@contextmanager
def _wandb(folder: Path) -> Iterator[TrainerCallback]:
    """A run on W&B's server where there is a key for it and an answer, otherwise in `folder/wandb`."""
    import wandb
    from transformers.integrations import WandbCallback

    folder.mkdir(parents=True, exist_ok=True)
    place = os.environ.get("WANDB_DIR") or str(folder)
    mode = os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")

    def start(mode: Any) -> Any:
        return wandb.init(project=os.environ.get("WANDB_PROJECT", "huggingface"), dir=place, mode=mode)

    def offline(error: str) -> Any:
        stage_logger().warning("Weights & Biases cannot be reached (%s): the run is kept offline", error)
        return start("offline")

    try:
        with attempt(lambda: start(mode), offline) as run:
            if run.offline:
                stage_logger().info("Weights & Biases' files, for `wandb sync`: %s", Path(run.dir).parent)
            yield WandbCallback()
    finally:
        # A run that has ended may still be written by W&B's own process: its end is waited for.
        wandb.teardown()


def _has_key() -> bool:
    """Whether there is a key in the environment, or one that `wandb login` has left."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname
    try:
        return host is not None and netrc().authenticators(host) is not None
    except (FileNotFoundError, NetrcParseError):
        return False


@contextmanager
def _mlflow(folder: Path) -> Iterator[TrainerCallback]:
    """A run on the server that the environment names, otherwise in an SQLite file in `folder/mlflow`.

    MLflow's own files (`file:…/mlruns`) are refused by MLflow 3.
    """
    import mlflow
    from transformers.integrations import MLflowCallback

    named = os.environ.get("MLFLOW_TRACKING_URI")

    def offline(error: str) -> Any:
        stage_logger().warning("MLflow's server cannot be used (%s): the run is kept in a file", error)
        return _started_in(folder / "mlflow")

    try:
        run = attempt(lambda: _started(named), offline) if named else _started_in(folder / "mlflow")
        with run:
            yield MLflowCallback()
    finally:
        # MLflow writes what it was told into the environment, where the next run would take it for a user's.
        mlflow.set_tracking_uri(named)


def _started(uri: str) -> Any:
    """A run on a server, in the experiment that the environment names."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME")
    return mlflow.start_run(experiment_id=_experiment(name) if name else None)


def _started_in(folder: Path) -> Any:
    """A run in an SQLite file, with its artifacts beside it."""
    import mlflow

    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    stage_logger().info("MLflow's files: %s", folder)
    # Of the server that could not be used: unknown here.
    os.environ.pop("MLFLOW_RUN_ID", None)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "docs-mlm")
    return mlflow.start_run(experiment_id=_experiment(name, (folder / "artifacts").as_uri()))


def _experiment(name: str, artifacts: str | None = None) -> str:
    """The id of the experiment of that name, which is made if need be."""
    import mlflow

    found = mlflow.get_experiment_by_name(name)
    return str(found.experiment_id if found else mlflow.create_experiment(name, artifacts))


STARTS: dict[str, Callable[[Path], AbstractContextManager[TrainerCallback]]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "mlflow": _mlflow,
}
