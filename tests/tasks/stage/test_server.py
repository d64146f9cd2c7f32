"""A Prefect server is new enough, or the first thing that is said is that it is not."""

import prefect
import pytest
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks.errors import UserError
from tasks.run import joint, resolve
from tasks.settings import Settings
from tasks.stage.server import OLDEST, check_server_of_run, check_version
from tests.old_server import old_server


@pytest.mark.parametrize("version", ["3.4.14", "2.20.4", "3.6.16", "3.6.17rc1", "3.0.0.dev3+4.gabc"])
def test_an_older_server_is_refused(version):
    """The line names both versions, and the ways out."""
    with pytest.raises(UserError) as raised:
        check_version(version, "http://host/api")
    for named in (
        f"http://host/api is version {version}",
        str(OLDEST),
        prefect.__version__,
        "upgrade",
        "unset",
    ):
        assert named in str(raised.value)


def test_a_server_of_a_later_major_version_is_refused():
    """Prefect's client talks to its own major version alone."""
    with pytest.raises(UserError, match=r"is version 4\.0\.1, .* take a server of version 3, or unset"):
        check_version("4.0.1", "http://host/api")


@pytest.mark.parametrize("version", ["3.6.17", "3.6.18+2.gabc", prefect.__version__, "3.99.0"])
def test_other_servers_are_taken(version):
    """From the oldest on, newer minor versions too."""
    check_version(version, "http://host/api")


@pytest.mark.parametrize("answer", [None, {"detail": "not found"}, "nightly", 3])
def test_what_is_no_version_is_told_apart(answer):
    """Whoever asks says what kind of server answers like that."""
    with pytest.raises(ValueError, match="version"):
        check_version(answer, "http://host/api")


def test_a_run_looks_at_its_server():
    """A worker starts runs that nobody looked after."""
    with (
        old_server("3.4.14") as url,
        temporary_settings({PREFECT_API_URL: url}),
        pytest.raises(UserError, match=r"3\.4\.14, and docs-mlm needs"),
    ):
        check_server_of_run()


@pytest.mark.parametrize(
    ("module", "first"), [(resolve, lambda: resolve.resolve_plan(Settings())),
                          (joint, lambda: joint.resolve_joint_plan(Settings(), {}))]
)  # fmt: skip
def test_every_plan_looks_first(module, first, prefect_server, monkeypatch):
    """Before anything is cloned or made."""

    def refuse():
        raise UserError("the server is too old")

    monkeypatch.setattr(module, "check_server_of_run", refuse)
    with pytest.raises(UserError, match="too old"):
        flow(name="test")(first)()
