"""A run that a person named keeps its name; one that nobody named is called after its plan."""

import re
from pathlib import Path

import prefect
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from prefect.utilities.names import generate_slug

from flows.adapt import adapt
from flows.adapt_many import adapt_many
from flows.demo import demo
from tasks.run import names
from tasks.run.names import is_made_up
from tasks.run.plan import make_plan
from tasks.run.resolve import show_plan
from tasks.settings import Settings


def test_names_that_nobody_chose_are_known():
    """Those of the server, all of them, and those that the form fills in."""
    assert all(is_made_up(generate_slug(2)) for _ in range(2000))
    assert is_made_up("Practical-Yak")


@pytest.mark.parametrize(
    "name",
    ["azure", "my-run", "quiet fox", "quiet-fox-2", "Quiet-Fox", "Small-Docs", "azure-docs", "beta-test",
     "zeta5-sirius", "quiet", "-", "Practical-", "nightly of Monday", "Yak-Practical"],
)  # fmt: skip
def test_any_other_name_is_a_persons(name):
    """Also one that looks much like them."""
    assert not is_made_up(name)


def test_the_words_are_those_of_the_installed_form():
    """The form of the installed Prefect draws from the same words."""
    ui = Path(prefect.__file__).parent / "server" / "ui-v2" / "assets"
    scripts = [script.read_text() for script in ui.glob("deployment_._id.run-*.js")]
    (text,) = [script for script in scripts if "Aardvark." in script]
    drawn = re.search(r"`(Aardvark\.[^`]+)`", text)[1].split(".")
    assert {name for name in drawn if len(name) <= 6} == set(names._ANIMALS.split())
    assert re.findall(r"`(\w+)`", re.search(r"=\[(`Awesome`[^\]]+)\]", text)[1]) == names._ADJECTIVES.split()


def run_named(name: str | None, tmp_path: Path, times: int = 1) -> str:
    """The name of a run after its plan was shown, where it had this one before."""
    (tmp_path / "docs").mkdir(exist_ok=True)
    (tmp_path / "docs" / "page.md").write_text("A page.")
    settings = Settings.model_validate(
        {
            "source": {"folder": str(tmp_path / "docs")},
            "model": {"from_scratch": {}},
            "store": str(tmp_path / "s"),
        }
    )

    @flow(name="named", flow_run_name=name)
    def shown() -> str:
        for number in range(times):
            (tmp_path / "docs" / "page.md").write_text(f"Page {number}.")
            show_plan(plan := make_plan(settings))
        with get_client(sync_client=True) as client:
            return client.read_flow_run(flow_run.id).name, f"{plan.name} {plan.run_key[:8]}"

    return shown()


def test_no_flow_names_its_runs_by_itself():
    """Prefect puts a flow's own name for its runs over any that was given."""
    assert [one.flow_run_name for one in (adapt, adapt_many, demo)] == [None] * 3


def test_a_persons_name_stays(prefect_server, tmp_path):
    """A run that somebody named is not renamed."""
    found, _ = run_named("the boss's run", tmp_path)
    assert found == "the boss's run"


@pytest.mark.parametrize("name", [None, "Practical-Yak"])
def test_a_run_that_nobody_named_is_called_after_its_plan(prefect_server, tmp_path, name):
    """And after the next one when it is planned again."""
    found, planned = run_named(name, tmp_path, times=2)
    assert found == planned
