"""A process that trains has what training needs, and nothing of what watches it."""

import subprocess
import sys
from pathlib import Path

from tasks.train_model.job import TrainJob, TrainReport
from tasks.train_model.settings import TrainSettings
from tests.tasks.train_model.conftest import TINY

TRAINS = """
import sys
from pathlib import Path
import tasks.training.processes.worker
from tasks.train_model.training import train_json
report = train_json(Path(sys.argv[1]).read_text(), None, None)
Path(sys.argv[2]).write_text(report)
print(sorted({name.partition(".")[0] for name in sys.modules} & {"prefect", "s3fs", "botocore"}))
"""


def test_a_child_trains_without_prefect(tokenized: Path, tmp_path: Path) -> None:
    """Its parent has the run and the store: a child that imported Prefect would start seconds later."""
    settings = TrainSettings(max_steps=1, per_device_train_batch_size=4, precision="fp32")
    job = TrainJob(
        data=tokenized,
        output=tmp_path / "out",
        checkpoints=tmp_path / "checkpoints",
        settings=settings,
        scratch=TINY,
    )
    job.output.mkdir()
    (tmp_path / "job.json").write_text(job.dump())
    paths = (str(tmp_path / "job.json"), str(tmp_path / "report.json"))
    child = subprocess.run(
        [sys.executable, "-c", TRAINS, *paths], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    assert TrainReport.load(Path(paths[1]).read_text()).global_step == 1
    assert child.stdout.splitlines()[-1] == "[]"
