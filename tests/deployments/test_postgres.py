"""Three runs at once, with Prefect's records on PostgreSQL as a team has them."""

from itertools import pairwise

import pytest

from tests.postgres_server import postgres_bin, postgres_server
from tests.prefect_server import prefect_server

pytestmark = pytest.mark.skipif(postgres_bin() is None, reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Prefect server on PostgreSQL, with everything deployed, and a worker."""
    with (
        postgres_server() as url,
        prefect_server(
            tmp_path_factory.mktemp("prefect"), PREFECT_API_DATABASE_CONNECTION_URL=url
        ) as running,
    ):
        running.make("deploy")
        with running.worker(tmp_path_factory.mktemp("elsewhere")):
            yield running


def test_three_runs_at_once_wait_for_each_other(server, tiny):
    """On demand, the second and third wait: all complete, and no two ever run at the same time."""
    parameters = tiny()
    ids = [server.start("docs-mlm/on-demand", **parameters) for _ in range(3)]
    runs = sorted((server.wait(id_, "Completed") for id_ in ids), key=lambda r: r["start_time"])
    for earlier, later in pairwise(runs):
        assert earlier["end_time"] <= later["start_time"]
    plans = [server.artifacts(run["id"])["plan"] for run in runs]
    assert "| training | run |" in plans[0]
    assert all("| training | reuse |" in plan for plan in plans[1:])


def test_three_nights_at_once_leave_two_out(server, tiny):
    """At night, what finds a run at work is cancelled: one completes, and nothing is left waiting."""
    parameters = tiny(max_steps=200, seed=3)
    ids = [server.start("docs-mlm/nightly", **parameters) for _ in range(3)]
    ended = [server.wait(id_, "Completed", "Cancelled")["state_name"] for id_ in ids]
    assert sorted(ended) == ["Cancelled", "Cancelled", "Completed"]
