"""The plan of several sources: keys that depend on the set of them, and only on that."""

from collections import Counter
from pathlib import Path

import pytest
from prefect import flow

from tasks.clone_docs.kinds import resolve_source
from tasks.clone_docs.pinned import PinnedSource
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import NetworkError, UserError
from tasks.run import joint
from tasks.run.joint import Pinned, make_joint_plan
from tasks.run.plan import make_plan
from tasks.run.resolve import plan_table
from tasks.settings import Settings
from tasks.stage.retrying import VARIABLE
from tests.tiny import SIZES


@pytest.fixture
def settings(tmp_path):
    """Settings of a small model, and an empty store."""
    return Settings.model_validate(
        {
            "model": {"from_scratch": SIZES.model_dump()},
            "tokenize": {"max_seq_length": 32},
            "store": str(tmp_path / "store"),
            "work_dir": str(tmp_path / "work"),
        }
    )


@pytest.fixture
def pinned(tmp_path):
    """Pin a folder of one document for each name."""

    def pin(*places: str) -> dict[str, Pinned]:
        found = {}
        for place in places:
            folder = tmp_path / place
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "a.md").write_text(place)
            chosen = SourceSettings(folder=folder)
            found[f"label of {place}"] = Pinned(settings=chosen, source=resolve_source(chosen))
        return found

    return pin


def test_keys_depend_on_the_set_of_sources_alone(settings, pinned):
    """The order does not matter, twice is once, and fewer sources are another model."""
    plan = make_joint_plan(settings, pinned("x/one", "x/two"))
    assert make_joint_plan(settings, pinned("x/two", "x/one")).run_key == plan.run_key
    assert make_joint_plan(settings, pinned("x/one")).run_key != plan.run_key
    twice = pinned("x/one", "x/two")
    twice["again"] = twice["label of x/one"]
    assert make_joint_plan(settings, twice).run_key == plan.run_key
    narrow = settings.model_copy(update={"filter": settings.filter.model_copy(update={"min_chars": 1})})
    assert make_joint_plan(narrow, pinned("x/one", "x/two")).run_key != plan.run_key


def test_a_sources_own_steps_are_those_of_a_run_on_it_alone(settings, pinned):
    """Their keys are the same, so that either finds what the other made."""
    sources = pinned("x/one", "x/two")
    plan = make_joint_plan(settings, sources)
    chosen = sources["label of x/one"].settings
    alone = make_plan(settings.model_copy(update={"source": chosen}))
    part = plan.parts["one"]
    assert (part.documents.key, part.corpus.key) == (
        alone.targets["documents"].key,
        alone.targets["corpus"].key,
    )
    assert plan.targets["documents"].key != part.documents.key


def test_sources_that_are_away_are_waited_for_together(prefect_server, tmp_path, monkeypatch):
    """With one wait for all, each is asked once more; one that answers then is in, a mistake is not asked."""
    asked: list[str] = []

    def ask(settings: SourceSettings) -> PinnedSource:
        asked.append(str(settings.folder))
        if settings.folder == Path("mistaken"):
            raise UserError("check the path")
        if settings.folder == Path("here") or asked.count(str(settings.folder)) > 3:
            return resolve_source(SourceSettings(folder=tmp_path))
        raise NetworkError(f"{settings.folder} does not answer")

    monkeypatch.setattr(joint, "resolve_source", ask)
    monkeypatch.setenv(VARIABLE, "0.01, 0.01, 0.01")
    (tmp_path / "a.md").write_text("text")
    sources = {name: SourceSettings(folder=Path(name)) for name in ("late", "mistaken", "here", "later")}
    pinned, ended = flow(name="test")(joint.pin_sources)(sources)
    assert list(pinned) == ["late", "here", "later"]
    assert [(one.name, one.message) for one in ended] == [("mistaken", "check the path")]
    assert Counter(asked) == {"late": 4, "later": 4, "here": 1, "mistaken": 1}
    asked.clear()
    monkeypatch.setenv(VARIABLE, "0.01")
    pinned, ended = flow(name="test")(joint.pin_sources)(sources)
    assert list(pinned) == ["here"]
    assert [one.name for one in ended] == ["late", "mistaken", "later"]
    assert ended[0].message == "late does not answer"


def test_sources_that_share_a_name_are_told_apart(settings, pinned):
    """Two folders called alike get a piece of their key, and paths stay distinct."""
    plan = make_joint_plan(settings, pinned("x/docs", "y/docs", "x/other"))
    names = sorted(plan.parts)
    assert len(names) == 3
    assert names[0].startswith("docs@")
    assert names[1].startswith("docs@")
    assert names[2] == "other"


def test_the_plan_shows_each_source(settings, pinned):
    """With nothing stored, each source's own steps are rows, and all of them must be made."""
    plan = make_joint_plan(settings, pinned("x/one", "x/two"))
    table = plan_table(plan)
    assert "| documents of one | run | not in the store yet |" in table
    assert "| corpus of two | run | not in the store yet |" in table
    assert table.startswith("**one+two@")
    assert sorted(plan.missing()) == ["label of x/one", "label of x/two"]


def test_texts_of_a_joint_corpus_can_be_exported(settings, pinned, tmp_path):
    """The dataset is then wanted for itself, of all sources together and of none alone."""
    publish = settings.publish.model_copy(update={"export_texts": tmp_path / "texts.json"})
    exporting = settings.model_copy(update={"publish": publish})
    sources = pinned("x/one", "x/two")
    plan = make_joint_plan(exporting, sources)
    assert plan.run_key == make_joint_plan(settings, sources).run_key
    assert plan.targets["dataset"].action == "run"
    assert sorted(plan.missing()) == ["label of x/one", "label of x/two"]
