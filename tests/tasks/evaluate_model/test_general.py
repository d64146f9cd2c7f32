"""What was forgotten is the loss on other text, a token at a time and the same tokens for both models."""

import json
from dataclasses import replace

import pytest

from tasks.errors import UserError
from tasks.evaluate_model.general import general
from tasks.evaluate_model.general_texts import check_settings, fingerprint, read_general
from tasks.evaluate_model.given import NotMeasured
from tasks.evaluate_model.sampling import rough_tokens
from tasks.evaluate_model.settings import EvaluateSettings
from tests.tasks.evaluate_model.making import given_with, models
from tests.tasks.retrieval.models import some_texts
from tests.tiny import save_tiny_bert

TEXTS = some_texts(40)


@pytest.fixture
def folder(tmp_path):
    """Texts in files, some of them in a folder within, and one that is none."""
    (tmp_path / "within").mkdir()
    for number, text in enumerate(TEXTS):
        place = tmp_path / ("within" if number % 3 else ".") / f"{number}.{'md' if number % 2 else 'txt'}"
        place.write_text(text)
    (tmp_path / "picture.png").write_bytes(b"\xff")
    return tmp_path


def test_both_models_read_the_same(folder):
    """The loss before and after, and a paired difference with its interval."""
    found = general(given_with(general_texts=str(folder)))
    assert found["difference"] == pytest.approx(found["after"] - found["before"])
    assert found["low"] < found["difference"] < found["high"]
    assert found["masked_tokens"] > 100
    assert found["difference"] != 0
    assert found["not_measured"] == {}
    same = general(replace(given_with(general_texts=str(folder)), base=models()[1]))
    assert (same["difference"], same["low"], same["high"]) == (0, 0, 0)
    assert same["after"] == found["after"]
    assert json.loads(json.dumps(found)) == found


def test_a_model_from_scratch_has_nothing_before(folder):
    """Its loss is told, and no difference."""
    found = general(replace(given_with(general_texts=str(folder)), base=None))
    assert found["after"] > 0
    assert (found["before"], found["difference"], found["low"], found["high"]) == (None,) * 4


def test_a_base_that_fills_no_masks_is_no_base(folder, tmp_path_factory):
    """A retrieval model's random head would make any training look well."""
    headless = save_tiny_bert(tmp_path_factory.mktemp("headless"), head=False)
    found = general(replace(given_with(general_texts=str(folder)), base=headless))
    assert (found["before"], found["difference"]) == (None, None)
    assert found["after"] > 0
    assert "no weights of a head that fills masks" in found["not_measured"]["before"]
    with pytest.raises(NotMeasured, match="no weights of a head"):
        general(replace(given_with(general_texts=str(folder)), trained=headless))


def test_without_texts_nothing_is_measured(tmp_path):
    """It is told why."""
    with pytest.raises(NotMeasured, match=r"evaluate\.general-texts"):
        general(given_with())
    (tmp_path / "empty.txt").write_text("  \n")
    with pytest.raises(NotMeasured, match="no text of more than a few words"):
        general(given_with(general_texts=str(tmp_path)))
    with pytest.raises(NotMeasured, match="is not there any more"):
        read_general(str(tmp_path / "gone"), 10, 0)


def test_an_unreachable_hub_is_no_error(monkeypatch):
    """What the hub does not deliver is not measured, and the reason names it."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(NotMeasured, match="someone/texts:train:text cannot be had of the hub"):
        read_general("someone/texts:train:text", 100, 0)


def test_rows_of_the_hub_are_read(tmp_path, monkeypatch):
    """A data set by its name, split and column; the bound holds; a column that is not there is told."""
    (tmp_path / "texts").mkdir()
    rows = [json.dumps({"body": text}) for text in TEXTS]
    (tmp_path / "texts" / "train.jsonl").write_text("\n".join(rows))
    monkeypatch.chdir(tmp_path)
    found = read_general("texts:train:body", 150, 0)
    assert {document.text for document in found[:-1]} <= set(TEXTS)
    assert 140 <= sum(rough_tokens(document.text) for document in found) <= 152
    with pytest.raises(NotMeasured, match="no column 'text'"):
        read_general("texts:train:text", 150, 0)


@pytest.mark.parametrize("objects", [False, True])
def test_a_json_file_is_read(tmp_path, objects):
    """A list of strings, or of objects that have a text."""
    file = tmp_path / "texts.json"
    file.write_text(json.dumps([{"text": text} for text in TEXTS] if objects else TEXTS))
    assert {document.text for document in read_general(str(file), None, 0)} == set(TEXTS)


def test_a_sample_is_bounded_and_seeded(folder):
    """Never more than the bound but a word or so, the same each time, and another by another seed."""
    some = read_general(str(folder), 100, 0)
    assert 90 <= sum(rough_tokens(document.text) for document in some) <= 102
    assert read_general(str(folder), 100, 0) == some
    assert any(read_general(str(folder), 100, seed) != some for seed in range(1, 4))
    assert len(read_general(str(folder), None, 0)) == len(TEXTS)


def test_the_key_knows_the_texts_of_this_machine(folder):
    """Another content is another result; what the hub has is known by its name."""

    def told():
        return fingerprint(EvaluateSettings(general_texts=str(folder)))

    before = told()
    assert before == told()
    (folder / "0.txt").write_text("Something else.")
    assert told() != before
    assert fingerprint(EvaluateSettings(general_texts="someone/texts:train:text")) is None
    assert fingerprint(EvaluateSettings()) is None


def test_a_mistake_is_told_when_a_run_is_planned(tmp_path):
    """What is not there, or is of another form, is named with what may be given."""
    wrong = {
        "empty": "has no .txt or .md file",
        "broken.json": "is not JSON",
        "numbers.json": "must be a JSON list",
        "object.json": "must be a JSON list",
        "none.json": "must be a JSON list",
        "gone": "is not there: give a folder",
    }
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.json").write_text("[")
    (tmp_path / "numbers.json").write_text("[1]")
    (tmp_path / "object.json").write_text('{"text": "a"}')
    (tmp_path / "none.json").write_text("[]")
    for name, message in wrong.items():
        with pytest.raises(UserError, match=message):
            check_settings(EvaluateSettings(general_texts=str(tmp_path / name)))
    check_settings(EvaluateSettings(general_texts=str(tmp_path / "gone"), enabled=False))
    for given in ("texts:train:text", "a/b:c:train:text", "a:train:text", None):
        check_settings(EvaluateSettings(general_texts=given))
