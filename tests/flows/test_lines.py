"""Repositories that share a store do not mix: each line has its own newest model, reasons and results."""

import asyncio
import json
import re

import pytest

from flows.adapt import adapt
from flows.adapt_many import adapt_many
from tasks.models.newest import newest_of
from tasks.models.published import list_versions
from tasks.run.plan import make_plan
from tasks.settings import Settings
from tasks.store.folders import Store
from tests.flows.conftest import MADE, every, make_documents, with_headings
from tests.git_server import add_commit, make_repository
from tests.run_process import start_run
from tests.soak import EMBED, SETTINGS
from tests.tiny import save_tiny_bert
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("prefect_server")


def run(settings: Settings):
    """One run of the main flow."""
    return adapt(**settings.as_parameters())


def whys(settings: Settings) -> dict[str, str]:
    """Why each stage of a plan runs."""
    plan = make_plan(settings)
    return {name: target.why for name, target in plan.targets.items() if target.action == "run"}


def artifacts() -> dict[str, str]:
    """The newest text of each key on the tests' Prefect server."""

    async def read() -> dict[str, str]:
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.sorting import ArtifactSort

        async with get_client() as client:
            newest_first = await every(client.read_artifacts, sort=ArtifactSort.CREATED_DESC)
            return {str(one.key): str(one.data) for one in reversed(newest_first)}

    return asyncio.run(read())


@pytest.fixture(scope="module")
def pair(repositories):
    """A second repository beside `docs.git`."""
    make_repository(repositories.root / "manuals.git", make_documents(12, seed=5))
    return repositories


@pytest.fixture
def sharing(chosen, pair):
    """Settings of runs on either repository, which share a store."""

    def choose(name: str, **changes):
        return chosen(**{"source": {"url": pair.url(name)}, "train": {"max_steps": 2}} | changes)

    return choose


def test_two_repositories_in_one_store(sharing, pair, chosen):
    """Each line's reasons, newest model, versions and result are its own, whichever ran last."""
    docs, manuals = run(sharing("docs.git")), run(sharing("manuals.git"))
    assert docs.line_name == "docs · bert-docs"
    assert docs.line != manuals.line
    store = Store(docs.store)

    slower = {"max_steps": 2, "learning_rate": 0.001}
    assert whys(sharing("docs.git", train=slower)) == {
        "training": "learning_rate: 0.003 → 0.001",
        "models": "training is made anew",
    }
    sha = add_commit(pair.root / "docs.git", {"docs/new.md": make_documents(40, seed=2)["docs/page-35.md"]})
    reasons = whys(sharing("docs.git"))
    assert reasons.pop("documents") == f"commit_sha: {docs.commit_sha[:12]} → {sha[:12]}"
    assert all(why.endswith("is made anew") for why in reasons.values())
    make_repository(pair.root / "third.git", make_documents(12, seed=6))
    plan = make_plan(sharing("third.git"))
    assert plan.targets["documents"].why == f"nothing is stored yet for {plan.line.name}"
    assert "third · bert-third" in plan.line.name

    again = run(sharing("docs.git", source={"url": pair.url("docs.git"), "ref": docs.commit_sha}))
    assert [name for name, stage in again.stages.items() if not stage["reused"]] == []
    assert (again.line, again.newest, manuals.newest) == (docs.line, False, True)
    assert store.read_json(store.uri("models", "latest.json"))["version"] == manuals.model["version"]
    for summary, other in ((docs, manuals), (manuals, docs)):
        newest = newest_of(store, make_plan(sharing(summary.source.rsplit("/", 1)[-1])).line)
        assert newest.record["version"] == summary.model["version"]
        shown = artifacts()
        for key in ("versions", "result"):
            own = shown[f"{key}-{summary.line}"]
            assert summary.model["version"] in own
            assert other.model["version"] not in own
    assert shown["result"] == shown[f"result-{docs.line}"], "of the last run"
    assert shown["versions"] == shown[f"versions-{docs.line}"]


def test_two_names_of_one_repository_and_a_set_are_lines(sharing, pair):
    """Another name is another line that reuses the training; a joint corpus is a line of its set."""
    plain = run(sharing("manuals.git"))
    fine = run(sharing("manuals.git", publish={"model_name": "fine"}))
    assert [name for name, stage in fine.stages.items() if not stage["reused"]] == ["models"]
    assert fine.stages["models"]["why"] == f"no model is published yet for {fine.line_name}"
    assert fine.line_name.endswith("· fine")
    settings = sharing("manuals.git")
    parameters = settings.as_parameters()
    first = parameters.pop("source")
    sources = [first, first.model_copy(update={"url": pair.url("docs.git")})]
    adapt_many(sources=sources, corpus="joint", at_once=1, **parameters)
    versions = list_versions(Store(settings.store))
    assert [version.line for version in versions[:2]] == [plain.line, fine.line]
    assert len({version.line for version in versions}) == len(versions) == 3
    assert versions[2].line_name == "docs + manuals · bert-docs-manuals"
    slower = sharing("manuals.git", train={"max_steps": 2, "learning_rate": 0.001})
    assert whys(slower)["training"] == "learning_rate: 0.003 → 0.001"


def test_the_command_shows_and_takes_lines(sharing, command, tmp_path):
    """`models` lists by lines, and `predict` takes a line's name, or says which line's model it took."""
    docs, manuals = run(sharing("docs.git")), run(sharing("manuals.git"))
    store = ("--store", docs.store)
    code, out, _ = command("models", *store)
    assert code == 0
    order = [out.index(text) for one in (docs, manuals) for text in (one.line, one.model["version"])]
    assert order == sorted(order)
    _, out, _ = command("models", *store, "--json")
    assert [(one["line"], one["line_name"]) for one in json.loads(out)["models"]] == [
        (docs.line, docs.line_name),
        (manuals.line, manuals.line_name),
    ]
    place = tmp_path / "work" / "fetched" / "models"
    for name in (docs.line, docs.line_name):
        code, out, err = command("predict", "Run the [MASK].", *store, "--model", name)
        assert (code, "lines" in err) == (0, False), err
        assert [folder.name for folder in place.iterdir()] == [docs.run_key]
    code, out, err = command("predict", "Run the [MASK].", *store, "--json")
    assert (code, len(json.loads(out)["masks"])) == (0, 1)
    code, _, err = command("predict", "Run the [MASK].", *store, "--model", "bert-docs")
    assert (code, "docs-mlm models" in err) == (2, True)


@pytest.mark.parametrize(
    ("stage", "group", "stored"),
    [
        ("training", "train", "Stored checkpoint"),
        ("embedding", "embed", r"'train_model-\w+' - Finished.*Stored checkpoint"),
    ],
)
def test_the_plan_says_from_which_step_a_run_goes_on(
    stage, group, stored, repositories, server_url, command, tmp_path
):
    """After a kill `plan` names the checkpoint's step, there and elsewhere, and the run begins at that."""
    make_repository(repositories.root / f"{stage}.git", with_headings(make_documents(12, seed=5)))
    kept = {"max_steps": 60, "save_steps": 2, "save_total_limit": 50}
    settings = SETTINGS | {"train": SETTINGS["train"] | (kept if stage == "training" else {"max_steps": 6})}
    settings |= {"source": {"url": repositories.url(f"{stage}.git")}, "store": str(tmp_path / "store")}
    if stage == "embedding":
        encoder = save_tiny_bert(tmp_path / "encoder")
        settings |= {"embed": EMBED | kept | {"name_or_path": str(encoder)}}
    file = tmp_path / "settings.yaml"
    file.write_text(json.dumps(settings))
    attempt = start_run([str(file)], tmp_path / "machine", PREFECT_API_URL=server_url)
    until(
        lambda: re.search(stored, attempt.text(), re.DOTALL), goes_on=lambda: attempt.process.poll() is None
    )
    attempt.kill()

    def planned(*arguments: str) -> tuple[int, str]:
        code, out, err = command("plan", file, "--json", *arguments)
        assert code == 0, err
        training = json.loads(out)["stages"][stage]
        assert training["action"] == "run"
        return training["resumed_from_step"], training["why"]

    elsewhere, why = planned()
    assert elsewhere > 0
    assert why.endswith(f"goes on from step {elsewhere} of its checkpoint")
    assert why.startswith("no model is published yet for ")
    there, _ = planned("--work-dir", str(tmp_path / "machine" / "work"))
    assert there >= elsewhere
    step, why = planned(f"--{group}.resume", "fresh")
    assert (step, "begins anew" in why, f"step {elsewhere}" in why) == (0, True, True)
    store = Store(settings["store"])
    key = make_plan(Settings.model_validate(settings)).targets[stage].key
    names = [name for name in store.folders(store.uri("checkpoints", key)) if re.match("step-", name)]
    uri = store.uri("checkpoints", key, min(names))
    assert planned(f"--{group}.resume", uri)[0] == int(min(names).split("-")[1])
    code, _, err = command("plan", file, f"--{group}.resume", f"{uri[:-8]}00000000")
    assert (code, "no whole checkpoint" in err) == (2, True)

    again = command("run", file, "--json")
    assert again[0] == 0, again[2]
    result = json.loads(again[1])
    assert f"goes on from step {elsewhere}" in result["stages"][stage]["why"]
    assert f"resumed at step {elsewhere}" in artifacts()[stage]
    assert f"goes on from step {elsewhere} of its checkpoint" in artifacts()["plan"]
    made = [*MADE[:-1], "embedding", MADE[-1]] if stage == "embedding" else MADE
    assert list(result["stages"]) == list(made)
