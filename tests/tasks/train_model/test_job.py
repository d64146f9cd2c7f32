"""What makes a run survives JSON, so that other processes can run it."""

from pathlib import Path

from tasks.train_model.job import TrainJob
from tasks.train_model.settings import TrainSettings
from tests.tasks.train_model.conftest import TINY


def test_a_job_survives_json(tmp_path: Path) -> None:
    """A job read back from JSON is the same job."""
    for scratch, resume in ((TINY, None), (None, tmp_path / "checkpoint-3")):
        job = TrainJob(
            data=tmp_path,
            output=tmp_path / "o",
            checkpoints=tmp_path / "c",
            settings=TrainSettings(seed=7, processes=2),
            location=None if scratch else "model",
            scratch=scratch,
            resume_from=resume,
            trackers=resume,
            eval_tokens=None if resume else 500,
        )
        assert TrainJob.load(job.dump()) == job
