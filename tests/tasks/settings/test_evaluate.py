"""What is measured of the models, and how much of it."""

import json
from pathlib import Path

import pytest

from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError
from tasks.evaluate_model.general_texts import check_settings, read_general
from tasks.evaluate_model.given import NotMeasured
from tasks.evaluate_model.retrieval import retrieval
from tasks.evaluate_model.settings import EvaluateSettings
from tasks.evaluate_model.stage import evaluate_model
from tasks.evaluate_model.tags import folders, tags
from tasks.models.pinned import resolve_model
from tasks.models.settings import ModelSettings
from tasks.run.plan import model_recipes
from tasks.settings import Settings
from tasks.train_model.stage import train_model
from tests.tasks.evaluate_model.making import given_with
from tests.tiny import SIZES


def asked(**changes: object) -> tuple[int, list[str]]:
    """How many queries words were asked, and which ones are shown."""
    found = retrieval(given_with(**changes))
    assert found.retrieval is not None
    return found.retrieval["bm25"]["all"]["queries"], [sample["query"] for sample in found.samples]


@pytest.mark.setting("evaluate.enabled", "evaluate.max_tokens")
def test_a_run_measures_unless_told_otherwise() -> None:
    """Without it there is no such stage, and training evaluates all that is held out."""
    base = resolve_model(ModelSettings(from_scratch=SIZES))
    source = SourceSettings(folder=Path())
    on = Settings(source=source, evaluate=EvaluateSettings(max_tokens=77))
    off = Settings(source=source, evaluate=EvaluateSettings(enabled=False))
    assert model_recipes(on, base, None)[train_model]["eval_tokens"] == 77
    assert evaluate_model in model_recipes(on, base, None)
    assert "eval_tokens" not in model_recipes(off, base, None)[train_model]
    assert evaluate_model not in model_recipes(off, base, None)


@pytest.mark.setting("evaluate.max_queries", "evaluate.max_tokens", "evaluate.seed")
def test_fewer_queries_are_of_the_same_documents_each_time() -> None:
    """The bounds hold, and the seed says of which documents."""
    whole, _ = asked(max_queries=None, max_tokens=None)
    few, shown = asked(max_queries=8)
    assert 0 < few <= 8 < whole
    assert asked(max_queries=8) == (few, shown)
    assert any(asked(max_queries=8, seed=seed)[1] != shown for seed in range(1, 5))
    assert asked(max_tokens=400)[0] < whole


@pytest.mark.setting("evaluate.general_texts")
def test_general_texts_are_read_from_a_file_or_refused(tmp_path: Path) -> None:
    """A JSON list of texts; a place that is not there is a mistake that the plan finds."""
    file = tmp_path / "general.json"
    file.write_text(json.dumps(["The river runs to the sea. " * 5, "A fox sleeps in the sun. " * 5]))
    assert len(list(read_general(str(file), None, 0))) == 2
    check_settings(EvaluateSettings(general_texts=str(file)))
    with pytest.raises(UserError, match="absent"):
        check_settings(EvaluateSettings(general_texts=str(tmp_path / "absent")))


@pytest.mark.setting("evaluate.tags")
def test_a_folder_is_told_apart_where_no_field_is_named() -> None:
    """With a field and no documents to read it from, nothing is measured."""
    assert folders(["docs/a/x.md", "docs/b/y.md"]) == {"docs/a/x.md": "a", "docs/b/y.md": "b"}
    with pytest.raises(NotMeasured, match="are of these classes"):
        tags(given_with())
    with pytest.raises(NotMeasured, match=r"ms\.topic is a field, is not at hand"):
        tags(given_with(tags="ms.topic"))
