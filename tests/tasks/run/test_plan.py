"""The plan reuses what is stored, says why the rest must run, and needs nothing before the last result."""

import pytest

from tasks.clone_docs.stage import clone_docs
from tasks.errors import DocsMlmError, UserError
from tasks.filter_markdown.stage import filter_markdown
from tasks.models.lines import Line
from tasks.models.pinned import resolve_model
from tasks.records import CachedDataset, Corpus, DocsSnapshot
from tasks.run import plan as planning
from tasks.run.plan import make_plan, model_recipes
from tasks.run.reasons import changed, why_run
from tasks.run.resolve import MOST_STARTS, check_starts, plan_table
from tasks.settings import Settings
from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tasks.training.resuming import keeper_of
from tests.tiny import save_tiny_bert


@pytest.fixture
def store(tmp_path):
    """An empty store in a folder."""
    return Store(str(tmp_path / "store"))


LINE = Line.of(["https://example.org/o/docs.git"], "bert-docs")
SCRATCH = Settings.model_validate({"model": {"from_scratch": {}}})
RECIPES = {clone_docs: {}, filter_markdown: {}, **model_recipes(SCRATCH, resolve_model(SCRATCH.model))}
STAGES = tuple(stage.record.stage for stage in RECIPES)
KEYS = {stage: f"{number:032x}" for number, stage in enumerate(STAGES)}


def probe(store: Store, also: list[type] | None = None) -> dict[str, tuple[dict, bool]]:
    """What a plan with `KEYS` finds, by name."""
    kinds = {stage.record: KEYS[stage.record.stage] for stage in RECIPES}
    return {kind.stage: found for kind, found in planning.probe(store, RECIPES, kinds, also or []).items()}


def commit(store: Store, tmp_path, *stages: str, settings=None) -> None:
    """Store an empty result of each stage."""
    folder = tmp_path / "empty"
    folder.mkdir(exist_ok=True)
    for stage in stages:
        before = STAGES[: STAGES.index(stage)]
        manifest = Manifest(
            stage=stage,
            key=KEYS[stage],
            record={"stage": stage},
            ancestors={
                name: {"stage": name, "key": KEYS[name], "source": LINE.sources[0]} for name in before
            },
            settings=settings or {},
        )
        store.commit(folder, store.uri(stage, KEYS[stage]), manifest)


def test_an_empty_store_has_nothing(store):
    """Without results, every stage must run."""
    assert probe(store) == {}


def test_the_last_result_is_enough(store, tmp_path):
    """With the model there, the folders of the stages before it are not looked for."""
    commit(store, tmp_path, "models")
    found = probe(store)
    assert set(found) == set(STAGES)
    assert [name for name, (_, here) in found.items() if here] == ["models"]


def test_a_later_result_stands_for_those_before_it(store, tmp_path):
    """Tokens without the documents they came from are enough to train on."""
    commit(store, tmp_path, "documents", "tokenized")
    found = probe(store)
    assert set(found) == {"documents", "corpus", "pairs", "dataset", "tokenized"}
    assert found["tokenized"][1]
    assert not found["corpus"][1]


def test_a_result_wanted_for_itself_must_be_there(store, tmp_path):
    """To export its texts the dataset is needed, though the model is stored."""
    commit(store, tmp_path, "documents", "models")
    found = probe(store, [CachedDataset])
    assert set(found) == set(STAGES) - {"corpus", "dataset"}
    commit(store, tmp_path, "dataset")
    assert set(probe(store, [CachedDataset])) == set(STAGES)


def test_nothing_stored_for_itself_either(store):
    """Wanting the dataset of an empty store finds nothing, not the first stage."""
    assert probe(store, [CachedDataset]) == {}


def test_a_change_is_told_by_name(store, tmp_path):
    """The first stage that must run says which setting changed; those after it say what they follow."""
    commit(store, tmp_path, "corpus", settings={"min_chars": 200})
    commit(store, tmp_path, "models")
    store.write_json(store.uri("models", "latest.json"), {"key": KEYS["models"], "version": "1"})
    recipes = RECIPES | {filter_markdown: {"min_chars": 300}}
    reasons = why_run(store, recipes, {stage.record for stage in recipes} - {DocsSnapshot}, LINE)
    assert reasons[Corpus] == "min_chars: 200 → 300"
    assert reasons[CachedDataset] == "corpus is made anew"


def test_changes_are_found_in_nested_settings():
    """A nested setting is named by its whole path, a long digest is shortened."""
    before = {"a": {"b": 1, "c": 2}, "commit_sha": "0" * 40}
    after = {"a": {"b": 1, "c": 3}, "commit_sha": "1" * 40}
    assert list(changed(before, after)) == ["a.c: 2 → 3", "commit_sha: 000000000000 → 111111111111"]
    assert list(changed({"a": None}, {"a": {"b": 1}})) == ["a.b: None → 1"]


def test_a_source_is_not_compared_with_several(store, tmp_path):
    """After a joint model, a single source's documents are simply not there: the two have other settings."""
    commit(store, tmp_path, "documents", settings={"commits": {"docs": "0"}, "snapshots": {"docs": "1"}})
    commit(store, tmp_path, "models")
    store.write_json(store.uri("models", "latest.json"), {"key": KEYS["models"]})
    reasons = why_run(store, {clone_docs: {"source": "url", "commit_sha": "2"}}, {DocsSnapshot}, LINE)
    assert reasons == {DocsSnapshot: "its result is not in the store"}


def test_another_repository_says_nothing_of_this_one(store, tmp_path):
    """Reasons compare with the line's own newest model; of a line without one, that is said instead."""
    commit(store, tmp_path, "documents", settings={"source": LINE.sources[0], "commit_sha": "1" * 40})
    commit(store, tmp_path, "models")
    store.write_json(store.uri("models", "latest.json"), {"key": KEYS["models"], "version": "1"})
    recipes = RECIPES | {clone_docs: {"source": "https://example.org/o/other", "commit_sha": "2" * 40}}
    every = {stage.record for stage in recipes}
    for other in (Line.of(["https://example.org/o/other"], "bert-docs"), Line.of(LINE.sources, "fine-docs")):
        reasons = why_run(store, recipes, every, other)
        assert reasons[DocsSnapshot] == f"nothing is stored yet for {other.name}"
        assert reasons[Corpus] == "documents is made anew"
        reasons = why_run(store, recipes, every - {DocsSnapshot}, other)
        assert reasons[Corpus] == f"no model is published yet for {other.name}"
    recipes[clone_docs] = {"source": LINE.sources[0], "commit_sha": "2" * 40}
    reasons = why_run(store, recipes, every, LINE)
    assert reasons[DocsSnapshot] == "commit_sha: 111111111111 → 222222222222"


def test_a_plan_names_its_run_and_every_stage(tmp_path):
    """The plan of a folder names the folder and its content, and lists the stages in order."""
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "a.md").write_text("text " * 100)
    settings = Settings.model_validate(
        {
            "source": {"folder": str(tmp_path / "handbook")},
            "model": {"from_scratch": {}},
            "store": str(tmp_path / "store"),
        }
    )
    plan = make_plan(settings)
    assert plan.name.startswith("handbook@")
    assert list(plan.targets) == list(STAGES)
    assert plan.run_key == plan.targets["models"].key
    assert all(f"| {stage} | run |" in plan_table(plan) for stage in STAGES)
    assert not (tmp_path / "store").exists()


def test_where_a_folder_lies_is_in_no_key(tmp_path):
    """The same files in another folder give the same keys."""
    keys = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text("text " * 100)
        settings = Settings.model_validate(
            {
                "source": {"folder": str(tmp_path / name)},
                "model": {"from_scratch": {}},
                "store": str(tmp_path / "store"),
            }
        )
        keys.append(make_plan(settings).run_key)
    assert keys[0] == keys[1]


@pytest.fixture
def kept(tmp_path):
    """Settings of a run that trains two models, each of which has a checkpoint, and by stage its URI."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("text " * 100)
    chosen = {
        "source": {"folder": str(tmp_path / "docs")},
        "model": {"from_scratch": {}},
        "embed": {"enabled": True, "name_or_path": str(save_tiny_bert(tmp_path / "encoder"))},
        "store": str(tmp_path / "store"),
        "work_dir": str(tmp_path / "work"),
    }
    uris = {}
    for name, target in make_plan(Settings.model_validate(chosen)).targets.items():
        if step := STEPS.get(name):
            (tmp_path / name).mkdir()
            (tmp_path / name / "weights").write_text(name)
            keeper = keeper_of(target, keep=2)
            keeper.submit(tmp_path / name, step)
            assert keeper.close()
            uri = target.store.uri("checkpoints", target.key)
            uris[name] = target.store.uri("checkpoints", target.key, *target.store.folders(uri))
    return chosen, uris


STEPS = {"training": 7, "embedding": 9}
"""By stage the step of its checkpoint."""


@pytest.mark.parametrize(
    ("stage", "other", "group"), [("training", "embedding", "train"), ("embedding", "training", "embed")]
)
def test_both_trainings_are_told_from_which_step_they_go_on(kept, stage, other, group):
    """From the newest checkpoint or the one that is named; one that is left is told, a wrong one refused."""
    chosen, uris = kept

    def planned(**resume):
        changed = chosen | {group: chosen.get(group, {}) | resume}
        targets = make_plan(Settings.model_validate(changed)).targets
        told = targets[other]
        assert (told.first_step, told.why.split("; ")[-1]) == (
            STEPS[other],
            f"goes on from step {STEPS[other]} of its checkpoint",
        )
        return targets[stage].first_step, targets[stage].why.split("; ")[-1]

    on = (STEPS[stage], f"goes on from step {STEPS[stage]} of its checkpoint")
    assert planned() == planned(resume=uris[stage]) == on
    left = f"begins anew without its checkpoint of step {STEPS[stage]} ({group}.resume)"
    assert planned(resume="fresh") == (0, left)
    with pytest.raises(
        UserError, match=rf"{group}\.resume .* is a checkpoint of the run .*, but this run is"
    ):
        planned(resume=uris[other])


def test_a_run_that_keeps_crashing_gives_up():
    """What is resumed after each crash ends as failed once it was started too often."""
    check_starts(MOST_STARTS)
    with pytest.raises(DocsMlmError, match=f"started {MOST_STARTS + 1} times"):
        check_starts(MOST_STARTS + 1)
