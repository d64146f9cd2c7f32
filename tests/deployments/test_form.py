"""A colleague opens the form in the Prefect UI, fills it in, presses Submit and watches the run."""

import os
import re
from pathlib import Path

import pytest

from tasks.models.published import list_versions
from tasks.store.folders import Store
from tests.waiting import until

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"Chromium is not installed at {CHROMIUM}"),
    pytest.mark.xdist_group("deployments"),
]


@pytest.fixture
def page():
    """An empty page of a headless browser."""
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def field(page, title):
    """The input under a field's title."""
    exact = re.escape(title).replace("\\ ", " ")
    label = page.get_by_text(re.compile(rf"^\s*{exact}( \(Optional\))?\s*$")).first
    return label.locator("xpath=following::*[self::input or self::textarea][1]")


def picture(page, name):
    """Keep a screenshot where DOCS_MLM_SCREENSHOTS says."""
    if folder := os.environ.get("DOCS_MLM_SCREENSHOTS"):
        page.wait_for_timeout(1500)
        page.screenshot(path=f"{folder}/{name}.png")


def test_a_run_is_started_by_the_form(worker, git, page, tmp_path):
    """The form has every stage; filled in and submitted, it makes a run that publishes a model."""
    name = worker.deployment("docs-mlm/on-demand")["id"]
    page.goto(f"{worker.url}/deployments/deployment/{name}/run")
    for title in ("Git URL", "Cleaning", "Window (tokens)", "Epochs", "Learning rate", "work_dir"):
        page.get_by_text(title).first.wait_for()
    picture(page, "form")
    field(page, "Git URL").fill(git.url("docs.git"))
    field(page, "Window (tokens)").fill("48")
    page.get_by_role("button", name="New BERT").click()
    field(page, "Vocabulary (tokens)").fill("300")
    field(page, "Layers").fill("1")
    field(page, "Most steps").fill("40")
    field(page, "Batch (windows a device)").fill("8")
    field(page, "Accumulation").fill("1")
    field(page, "Log every (steps)").fill("2")
    field(page, "store").fill(str(tmp_path / "store"))
    field(page, "work_dir").fill(str(tmp_path / "work"))
    picture(page, "filled")
    known = {run["id"] for run in worker.runs()}
    page.get_by_role("button", name="Submit").click()

    def new_runs() -> set[str]:
        return {run["id"] for run in worker.runs()} - known

    (id_,) = until(new_runs)
    page.goto(f"{worker.url}/runs/flow-run/{id_}")
    worker.wait(id_, "Running")
    until(lambda: "Step " in worker.logs(id_))
    picture(page, "running")
    # The page says so of each task before it says so of the run.
    worker.wait(id_, "Completed")
    page.get_by_text("Completed").first.wait_for()
    picture(page, "completed")
    for key in ("result", "training", "masks"):
        chosen = {"artifacts": {"flow_run_id": {"any_": [id_]}, "key": {"any_": [key]}}}
        newest = worker.post("/artifacts/filter", chosen | {"sort": "CREATED_DESC"})[0]
        page.goto(f"{worker.url}/artifacts/artifact/{newest['id']}")
        page.get_by_text("Show raw data").first.wait_for()
        picture(page, key)
    (version,) = list_versions(Store(str(tmp_path / "store")))
    assert version.steps == 40


def test_a_bad_value_is_refused_by_the_form(server, page):
    """A value out of bounds stays in the form with a message, and no run comes to be."""
    before = len(server.runs())
    name = server.deployment("docs-mlm/on-demand")["id"]
    page.goto(f"{server.url}/deployments/deployment/{name}/run")
    page.get_by_text("Learning rate").first.wait_for()
    field(page, "Learning rate").fill("7")
    page.get_by_role("button", name="Submit").click()
    page.get_by_text("greater than").first.wait_for()
    assert len(server.runs()) == before
