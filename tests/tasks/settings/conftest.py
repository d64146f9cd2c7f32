"""Trainings on the corpus of `corpus.py`, each set of settings trained once for all tests."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.clone_docs.conftest import clone, server
from tests.tasks.settings.corpus import save_corpus
from tests.tasks.settings.watching import Watched, watched
from tests.tracks import quiet_trackers

__all__ = ["clone", "quiet_trackers", "server"]
"""Fixtures of others: a Git server, the clone stage without Prefect around it, trackers told nothing."""
Runs = Callable[..., Watched]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tokenize stage."""
    return save_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def runs(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The training with these changes of the base settings, as it was watched."""
    done: dict[str, Watched] = {}

    def run(**changes: Any) -> Watched:
        name = json.dumps(changes, sort_keys=True)
        if name not in done:
            done[name] = watched(corpus, tmp_path_factory.mktemp("run"), **changes)
        return done[name]

    return run
