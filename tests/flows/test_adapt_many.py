"""Several repositories: a model of each, or one of all; and one's failure is named at the end."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from datasets import load_from_disk

from flows.adapt import adapt
from flows.adapt_many import adapt_many
from tasks.errors import DocsMlmError
from tasks.models.newest import newest_model
from tasks.models.published import list_versions
from tasks.store.care import verify
from tasks.store.folders import Store
from tests.flows.conftest import MADE, files_under, make_documents
from tests.flows.test_secrets import in_prefect
from tests.git_server import make_repository

pytestmark = pytest.mark.usefixtures("prefect_server")

PASSWORD = "pass-in-url"
LICENCE = Path(__file__).parents[2] / "LICENSE"


def test_one_failure_does_not_sink_the_others(chosen, repositories):
    """Of two sources the first does not exist: the second's model is published, and the first is named."""
    settings = chosen(train={"max_steps": 2})
    parameters = settings.as_parameters()
    good = parameters.pop("source")
    bad = good.model_copy(update={"url": repositories.url("missing.git")})
    with pytest.raises(DocsMlmError, match=r"1 of 2 sources failed:\n1\. .*missing: Failed"):
        adapt_many(sources=[bad, good], at_once=1, **parameters)
    assert len(list_versions(Store(settings.store))) == 1


@pytest.fixture(scope="module")
def others(repositories):
    """A second repository with a licence, ten documents of its own and five that `docs.git` has too."""
    own, shared = make_documents(10, seed=2), make_documents()
    copies = {f"guide/copy-{n}.md": shared[f"docs/page-{n:02}.md"] for n in range(5, 10)}
    own = {name: text for name, text in own.items() if name.startswith("docs/page")}
    make_repository(repositories.root / "guides.git", own | copies | {"LICENSE": LICENCE.read_text()})
    make_repository(repositories.root / "empty.git", {"README.md": "short"})
    return repositories


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """One store and one work folder for all joint runs, so that each source is prepared once."""
    folder = tmp_path_factory.mktemp("joint")
    return {"store": str(folder / "store"), "work_dir": str(folder / "work")}


@pytest.fixture
def jointly(chosen, others, places):
    """Make one model of some repositories."""
    settings = chosen(train={"max_steps": 2}, **places)

    def run(*names: str, **changes):
        parameters = settings.as_parameters() | changes
        source = parameters.pop("source")
        urls = [others.url(name).replace("://", f"://me:{PASSWORD}@") for name in names]
        sources = [source.model_copy(update={"url": url}) for url in urls]
        return adapt_many(sources=sources, corpus="joint", at_once=2, **parameters)

    run.settings = settings
    run.store = Store(settings.store)
    return run


def documents_of(store: Store) -> dict[str, str]:
    """The split of each document that the newest model was made of, by its path."""
    uri = store.uri("dataset", newest_model(store).ancestors["dataset"]["key"])
    splits = load_from_disk(uri.removeprefix("file://") + "/dataset")
    return {path: name for name, rows in splits.items() for path in rows["path"]}


def test_one_model_of_several_sources(jointly, others, tmp_path):
    """Paths begin with their source, copies are counted, splits stay, and every source is on the card."""
    assert [outcome.state for outcome in jointly("docs.git", "guides.git")] == ["Completed", "Completed"]
    model = newest_model(jointly.store)
    documents = documents_of(jointly.store)
    assert {path.split(":")[0] for path in documents} == {"docs", "guides"}
    corpus = model.ancestors["corpus"]
    assert corpus["dropped_by_reason"]["exact_duplicate_across_sources"] == 5
    assert corpus["kept"] == len(documents) == 30 + 10
    assert corpus["found"] == corpus["kept"] + sum(corpus["dropped_by_reason"].values())
    assert "guides:guide/copy-5.md" not in documents

    alone = adapt(**jointly.settings.as_parameters())
    assert [name for name in MADE if alone.stages[name]["reused"]] == ["documents", "corpus"]
    assert documents_of(jointly.store).items() <= {
        (path.removeprefix("docs:"), split) for path, split in documents.items()
    }, "a document is held out of both or of neither"

    folder = Path(model.record["uri"].removeprefix("file://"))
    card, summary = (folder / "README.md").read_text(), json.loads((folder / "summary.json").read_text())
    assert summary["source"] == "docs+guides"
    assert [one["source"] for one in summary["sources"]] == [others.url("docs.git"), others.url("guides.git")]
    for one in summary["sources"]:
        assert f"`{one['source']}` at commit `{one['commit_sha']}`" in card
    assert "licences found in it: Apache-2.0" in card
    assert "license: other" in card, "the other source has none"
    assert {one.state for one in verify(jointly.store, model.record["uri"])} == {"intact"}

    assert PASSWORD not in asyncio.run(in_prefect())
    for name, content in (files_under(folder.parents[2]) | files_under(jointly.settings.work_dir)).items():
        assert PASSWORD.encode() not in content, name


def test_the_same_sources_in_another_order_are_the_same_model(jointly, others, tmp_path):
    """Listed the other way round, on a machine with an empty work folder, nothing is fetched or made."""
    jointly("docs.git", "guides.git")
    others.forget()
    versions = list_versions(jointly.store)
    outcomes = jointly("guides.git", "docs.git", work_dir=tmp_path / "elsewhere")
    assert [(outcome.state, outcome.run) for outcome in outcomes] == [("Completed", "–")] * 2
    assert list_versions(jointly.store) == versions
    assert not (tmp_path / "elsewhere").exists()


def test_failing_sources_are_left_out_and_named(jointly):
    """One that is not there, one with nothing to learn from: the model is that of the others."""
    jointly("docs.git", "guides.git")
    versions = list_versions(jointly.store)
    with pytest.raises(DocsMlmError) as error:
        jointly("missing.git", "docs.git", "empty.git", "guides.git")
    first, missing, empty = str(error.value).splitlines()
    made = re.fullmatch("2 of 4 sources failed, and (.*) is made of the others:", first)
    assert made[1] in [version.uri for version in versions]
    assert missing.startswith("1. missing: Failed (there is no Git repository")
    assert empty.startswith("3. empty: Failed")
    assert "none of 1 documents is left" in empty
    assert list_versions(jointly.store) == versions, "the two that are left are the model that is there"
    jointly("docs.git")
    assert len(list_versions(jointly.store)) == len(versions) + 1, "one of them alone is another"


def test_without_any_source_there_is_no_model(jointly):
    """Where all fail, the run does, and nothing is published."""
    with pytest.raises(DocsMlmError, match="1 of 1 sources failed:"):
        jointly("missing.git", store=f"{jointly.store.url}-other")
    assert not list_versions(Store(f"{jointly.store.url}-other"))
