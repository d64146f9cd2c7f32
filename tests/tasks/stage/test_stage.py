"""Keys depend on what changes the result, and on nothing else."""

import subprocess
import sys

import pytest

from tasks.clone_docs.settings import SourceSettings
from tasks.filter_markdown.stage import filter_markdown
from tasks.models.settings import ScratchSettings
from tasks.records import Corpus, DocsSnapshot, PublishedModel, TrainedModel
from tasks.settings import Settings
from tasks.stage.stage import stage
from tasks.train_model.settings import TrainSettings
from tasks.train_model.stage import train_model


def test_the_same_ingredients_give_the_same_key_in_every_process():
    """A key does not depend on the process, its hash seed or the order of the settings."""
    code = (
        "from tasks.filter_markdown.stage import filter_markdown; "
        "print(filter_markdown.key({'b': 2, 'a': 'é'}, {}))"
    )
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert other.stdout.strip() == filter_markdown.key({"a": "é", "b": 2}, {})


def test_a_key_is_of_the_name_the_version_and_the_parents():
    """Another name, version or parent is another key; a parent that a plan does not have is left out."""

    def make(target):
        """Make nothing."""

    first = stage(Corpus, version=1)(make)
    assert first.key({}, {}) != stage(PublishedModel, version=1)(make).key({}, {})
    assert first.key({}, {}) != stage(Corpus, version=2)(make).key({}, {})
    child = stage(Corpus, version=1, parents=(DocsSnapshot, TrainedModel))(make)
    keys = {DocsSnapshot: "a", TrainedModel: "b", PublishedModel: "c"}
    assert child.key({}, {}) == first.key({}, keys) == first.key({}, {})
    assert (
        len({child.key({}, keys), child.key({}, {DocsSnapshot: "a"}), child.key({}, {TrainedModel: "b"})})
        == 3
    )
    one = stage(Corpus, version=1, parents=(DocsSnapshot,))(make)
    assert child.key({}, {DocsSnapshot: "a"}) == one.key({}, keys), "an optional parent changes no other key"


def test_a_setting_that_changes_the_result_changes_the_key():
    """Another learning rate is another training."""
    before, after = TrainSettings(), TrainSettings(learning_rate=1e-5)
    assert train_model.key(before.keyed(), {}) != train_model.key(after.keyed(), {})


@pytest.mark.parametrize(
    "change",
    [
        {"save_steps": 7},
        {"save_total_limit": 9},
        {"logging_steps": 3},
        {"dataloader_num_workers": 2},
        {"resume": "fresh"},
        {"report_to": ["tensorboard"]},
    ],
)
def test_a_setting_of_how_the_work_is_done_does_not(change):
    """Workers, logs, trackers and checkpoints leave the key of a training alone."""
    assert TrainSettings(**change).keyed() == TrainSettings().keyed()


def test_credentials_and_ways_of_fetching_are_in_no_key():
    """How a source is fetched, and with whose credentials, leaves the key alone."""
    plain = SourceSettings(url="https://example.org/docs.git")
    other = SourceSettings(url="https://example.org/docs.git", fetch="full", credentials_block="token")
    assert plain.keyed() == other.keyed()


def test_nested_settings_are_keyed_too():
    """The sizes of a model from scratch are part of what is keyed."""
    chosen = Settings.model_validate({"model": {"from_scratch": {"hidden_size": 64}}})
    expected = ScratchSettings(hidden_size=64).model_dump()
    assert chosen.model.keyed()["from_scratch"] == expected
