"""What is given under `expert` goes over what stands in the stages, and says nothing against it."""

from pathlib import Path

import pytest

from flows import adapt_many, expert
from flows.expert import beneath, settings_of
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError
from tasks.train_model.settings import TrainSettings

TRAIN = TrainSettings(learning_rate=1e-4, max_steps=5)


@pytest.fixture
def deployed(monkeypatch):
    """Let the run be one of a deployment with these default parameters."""

    def be(parameters):
        monkeypatch.setattr(expert, "deployment_defaults", lambda: parameters)

    be(None)
    return be


def test_it_goes_over_the_stages(deployed):
    """What it names is changed, what it does not name stays, and so does a stage that is none."""
    url = "https://u:secret@example.org/docs"
    made = settings_of(
        {"train": {"seed": 7}, "filter": None, "work_dir": "/work", "source": {"include": ["a.md"]}},
        train=TRAIN, source=SourceSettings(url=url), store="/store",
    )  # fmt: skip
    assert made.train == TrainSettings(learning_rate=1e-4, max_steps=5, seed=7)
    assert (made.work_dir, made.store) == (Path("/work"), "/store")
    assert (made.source.url, made.source.include) == (url, ["a.md"]), "the password is no dump's"
    assert settings_of(None, train=TRAIN).train is TRAIN


def test_two_values_of_one_setting_are_refused(deployed):
    """Both are named; the same value in both is none too many."""
    with pytest.raises(
        UserError, match=r"train.learning_rate is 0.0001 and expert.train.learning_rate is 0.5"
    ):
        settings_of({"train": {"learning_rate": 0.5}}, train=TRAIN)
    with pytest.raises(UserError, match=r"work_dir is /a and expert.work_dir is /b"):
        settings_of({"work_dir": "/b"}, work_dir=Path("/a"))
    assert settings_of({"train": {"learning_rate": 1e-4}}, train=TRAIN).train == TRAIN
    assert settings_of({"work_dir": "/a"}, work_dir=Path("/a")).work_dir == Path("/a")


def test_a_deployments_default_gives_way(deployed):
    """A form sends the deployment's folded values along; another value than that was given by somebody."""
    deployed({"train": {"learning_rate": 1e-4}, "work_dir": "/a", "source": {"url": "a"}})
    assert settings_of({"train": {"learning_rate": 0.5}}, train=TRAIN).train.learning_rate == 0.5
    assert settings_of({"work_dir": "/b"}, work_dir=Path("/a")).work_dir == Path("/b")
    with pytest.raises(UserError, match=r"train.learning_rate is 0.2 and expert"):
        settings_of({"train": {"learning_rate": 0.5}}, train=TrainSettings(learning_rate=0.2))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (
            {"train": {"learning_rate": 7}},
            "train.learning_rate is 7: input should be less than or equal to 1",
        ),
        ({"train": {"sede": 7}}, "train.sede: there is no such setting"),
        ({"trian": {"seed": 7}}, "trian: there is no such setting"),
        ({"train": 7}, "train is 7: "),
        ({"train": {"lr_scheduler_type": "constant", "warmup_share": 0.2}}, "constant has no warmup"),
        ({"filter": {"eval_fraction": 0}, "train": {"eval_steps": 5}}, "filter.eval_fraction is 0"),
        ({"model": {"revision": "v2"}}, "revision 'v2' is of a hub checkpoint"),
    ],
)
def test_it_is_checked_like_all_settings(deployed, given, named):
    """Bounds, unknown names and what does not go together, also across stages, are refused in a line."""
    model = {"from_scratch": {}}
    with pytest.raises(UserError, match=named.replace("(", r"\(")):
        settings_of(given, model=settings_of(None, model=model).model)


def test_several_sources_have_it_in_common():
    """It goes for each source that does not say otherwise."""
    own, other = SourceSettings(url="a", include=["own.md"]), SourceSettings(folder="/b")
    common = {"source": {"include": ["all.md"], "max_file_bytes": 9}}
    assert beneath(own, common, of="source 1").include == ["own.md"]
    assert beneath(own, common, of="source 1").max_file_bytes == 9
    assert beneath(other, common, of="source 2").include == ["all.md"]
    assert beneath(own, None, of="source 1") == own
    with pytest.raises(UserError, match=r"source 2 max_file_bytes is 0"):
        beneath(other, {"source": {"max_file_bytes": 0}}, of="source 2")


@pytest.mark.parametrize("corpus", ["each", "joint"])
def test_a_run_on_several_sources_takes_it(deployed, monkeypatch, corpus):
    """What is the source's goes to each source, all else to the settings that they share."""
    taken = []
    for name in ("adapt_each", "adapt_jointly"):
        monkeypatch.setattr(adapt_many, name, lambda *given: taken.append(given))
    given = {"source": {"include": ["all.md"]}, "train": {"seed": 7}}
    adapt_many.adapt_many.fn(corpus=corpus, sources=[SourceSettings(folder="/a")], expert=given)
    ((sources, settings, at_once),) = taken
    assert [source.include for source in sources.values()] == [["all.md"]]
    assert (settings.train.seed, at_once) == (7, 1)
