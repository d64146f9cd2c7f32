"""Keys depend on what changes the result, and on nothing else."""

import subprocess
import sys

import pytest

from tasks.keys import STAGES, content_key
from tasks.settings import ScratchSettings, Settings, SourceSettings, TrainSettings


def test_the_same_ingredients_give_the_same_key_in_every_process():
    """A key does not depend on the process, its hash seed or the order of the settings."""
    code = "from tasks.keys import content_key; print(content_key('corpus', b=2, a='é'))"
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert other.stdout.strip() == content_key("corpus", a="é", b=2)


def test_each_stage_has_keys_of_its_own():
    """Equal ingredients of different stages give different keys."""
    assert len({content_key(stage, a=1) for stage in STAGES}) == len(STAGES)


def test_a_setting_that_changes_the_result_changes_the_key():
    """Another learning rate is another training."""
    before, after = TrainSettings(), TrainSettings(learning_rate=1e-5)
    assert content_key("training", **before.keyed()) != content_key("training", **after.keyed())


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
