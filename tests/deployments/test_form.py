"""A colleague opens the form in the Prefect UI, fills it in, presses Submit and watches the run."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from flows.adapt import adapt
from flows.expert import settings_of
from tasks.models.published import list_versions
from tasks.store.folders import Store
from tests.browser import empty_page, needs_chromium
from tests.waiting import until

UIS = ("/v2", "")
"""Where the UI lies that a server offers first, and the one before."""
SCREEN = 900
MOST_INPUTS = 10
"""What one types into, picks from or switches: the run's name, nine settings, and none by accident."""

pytestmark = needs_chromium


@pytest.fixture
def page():
    """An empty page of a headless browser."""
    with empty_page() as page:
        yield page


def label(page, title):
    """What stands over a field or a group of fields; a group under `expert` is the last of its name."""
    exact = re.escape(title).replace("\\ ", " ")
    return page.get_by_text(re.compile(rf"^\s*{exact}( \(Optional\))?\s*$"))


def field(page, title):
    """The input under a field's title."""
    return label(page, title).first.locator("xpath=following::*[self::input or self::textarea][1]")


def choose(page, group, choice):
    """Press one of the choices of a group of fields."""
    pressed = f"xpath=following::*[self::button and normalize-space(.)='{choice}'][1]"
    label(page, group).last.locator(pressed).click()


def bottom(found):
    """Where something ends, in pixels from the top of a page that nobody has scrolled."""
    box = found.bounding_box()
    return box["y"] + box["height"]


def open_form(page, server, ui, name="docs-mlm/on-demand"):
    """The form of a deployment, in the UI that a server offers first or in the one before."""
    page.goto(f"{server.url}{ui}/deployments/deployment/{server.deployment(name)['id']}/run")
    label(page, "expert").first.wait_for()
    page.get_by_role("button", name="Submit").wait_for()
    # The lists of choices, and the names of runs, are there a moment after all else.
    until(lambda: field(page, "Run Name").input_value())


def submit(page, server, known):
    """Press Submit, again where the server says that it is too busy; the id of the run that came to be."""
    sent = re.compile("/create_flow_run$")
    while True:
        with page.expect_response(sent) as answer:
            page.get_by_role("button", name="Submit").click()
        if answer.value.status != 503:
            break
    (id_,) = until(lambda: {run["id"] for run in server.runs()} - known)
    return id_


def picture(page, name):
    """Keep a screenshot where DOCS_MLM_SCREENSHOTS says."""
    if folder := os.environ.get("DOCS_MLM_SCREENSHOTS"):
        page.wait_for_timeout(1500)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize("ui", UIS)
def test_what_most_runs_need_fits_two_screens(server, page, ui):
    """From the run's name to the store, with Submit half a screen below; the rest is behind a click."""
    open_form(page, server, ui)
    inputs = page.locator("main input, main textarea, #app input, #app textarea").locator("visible=true")
    assert inputs.count() <= MOST_INPUTS
    assert bottom(field(page, "store")) <= 2 * SCREEN
    assert bottom(page.get_by_role("button", name="Submit")) <= 2.5 * SCREEN
    assert label(page, "Learning rate").count() == 0
    choose(page, "expert", "Change")
    choose(page, "train", "Change")
    label(page, "Learning rate").first.wait_for()
    assert label(page, "Schedule").count() == 1
    assert label(page, "Near-duplicate similarity").count() == 0, "each group is folded by itself"


@pytest.mark.parametrize("ui", UIS)
def test_what_is_filled_in_is_what_is_sent(server, page, ui):
    """The choice of a new BERT sends no checkpoint; what is folded is sent as the deployment has it."""
    known = {run["id"] for run in server.runs()}
    open_form(page, server, ui)
    field(page, "Run Name").fill("Monday's try")
    choose(page, "source", "Folder")
    label(page, "Folder").last.locator("xpath=following::textarea[1]").fill("/srv/docs")
    choose(page, "model", "New BERT")
    field(page, "Layers").fill("1")
    choose(page, "expert", "Change")
    choose(page, "train", "Change")
    until(lambda: field(page, "Learning rate").input_value() == "0.0001")  # the deployment's own
    field(page, "Seed").fill("7")
    id_ = submit(page, server, known)
    run = server.run(id_)
    server.call("DELETE", f"/flow_runs/{id_}")
    sent, deployed = run["parameters"], server.deployment("docs-mlm/on-demand")["parameters"]
    assert run["name"] == "Monday's try"
    assert sent["source"] == {"folder": "/srv/docs"}
    assert list(sent["model"]) == ["from_scratch"]
    assert sent["model"]["from_scratch"]["num_hidden_layers"] == 1
    assert sent["expert"]["train"]["seed"] == 7
    for stage in ("filter", "tokenize", "train"):
        assert deployed[stage].items() <= sent[stage].items()
    settings = settings_of(**adapt.validate_parameters(sent))
    assert settings.train.seed == 7
    assert {name: getattr(settings.train, name) for name in deployed["train"]} == deployed["train"]


def test_a_run_is_started_by_the_form(worker, git, page, tmp_path):
    """The form is filled in and submitted; the run is what it says, and publishes a model."""
    open_form(page, worker, "/v2")
    picture(page, "form")
    field(page, "Run Name").fill("the first try")
    field(page, "Git URL").fill(git.url("docs.git"))
    field(page, "Window (tokens)").fill("48")
    choose(page, "model", "New BERT")
    field(page, "Vocabulary (tokens)").fill("300")
    field(page, "Layers").fill("1")
    field(page, "Most steps").fill("40")
    field(page, "store").fill(str(tmp_path / "store"))
    choose(page, "expert", "Change")
    field(page, "work_dir").fill(str(tmp_path / "work"))
    choose(page, "train", "Change")
    until(lambda: field(page, "Learning rate").input_value() == "0.0001")  # the deployment's own
    field(page, "Batch (windows a device)").fill("8")
    field(page, "Accumulation").fill("1")
    field(page, "Warmup share").fill("0.25")
    field(page, "Log every (steps)").fill("2")
    picture(page, "filled")
    known = {run["id"] for run in worker.runs()}
    id_ = submit(page, worker, known)
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
    assert worker.run(id_)["name"] == "the first try"
    card = Path(urlsplit(version.uri).path, "README.md").read_text()
    for setting in ('"warmup_share": 0.25', '"gradient_accumulation_steps": 1', '"learning_rate": 0.0001'):
        assert setting in card


@pytest.mark.parametrize("ui", UIS)
def test_a_bad_value_is_refused_by_the_form(server, page, ui):
    """A value out of bounds stays in the form, which names its field, and no run comes to be."""
    before = len(server.runs())
    open_form(page, server, ui)
    choose(page, "expert", "Change")
    choose(page, "train", "Change")
    field(page, "Learning rate").fill("7")
    page.get_by_role("button", name="Submit").click()
    page.get_by_text(re.compile(r"expert\.train\.learning_rate.*7 is greater than")).first.wait_for()
    assert len(server.runs()) == before
