"""What several processes are started with."""

from pathlib import Path

import pytest

from tasks.training.processes import launch as launching
from tasks.training.processes.launch import Launch, command


def test_children_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each child gets its share of the cores, at least one, unless the user has said how many."""
    monkeypatch.setattr(launching, "usable_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [launching.environment(n)["OMP_NUM_THREADS"] for n in (2, 3, 16)] == ["4", "2", "1"]
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert launching.environment(2)["OMP_NUM_THREADS"] == "5"


def test_the_launchers_line_says_what_runs_and_where_it_meets(tmp_path: Path) -> None:
    """The work travels by name, the job as a file; machines meet where they are told, and one anywhere."""
    what = Launch(work="some.module:function", job="{}", folder=tmp_path / "k1", processes=3)
    line = command(what, tmp_path / "job.json")
    assert line[-3:] == [
        "tasks.training.processes.worker",
        "some.module:function",
        str(tmp_path / "job.json"),
    ]
    assert line[line.index("--nproc-per-node") + 1] == "3"
    assert line[line.index("--rdzv-endpoint") + 1] == "localhost:0"
    assert line[line.index("--rdzv-id") + 1] == "k1"
    several = Launch(
        work="m:f", job="{}", folder=tmp_path, processes=1, nodes=2, rdzv_endpoint="host.example:29400"
    )
    line = command(several, tmp_path / "job.json")
    assert line[line.index("--nnodes") + 1] == "2"
    assert line[line.index("--rdzv-endpoint") + 1] == "host.example:29400"
