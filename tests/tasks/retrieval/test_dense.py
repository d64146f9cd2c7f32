"""Texts become the vectors that sentence-transformers makes of them, without code or hosts of others."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from transformers import BertModel

from tasks.errors import UserError
from tasks.retrieval import dense
from tasks.retrieval.dense import Encoder
from tasks.retrieval.figures import figures
from tasks.retrieval.passages import Passages
from tasks.retrieval.systems import by_vectors
from tests.tasks.retrieval.models import PROMPTS, plain_folder, save_tiny_retriever, some_texts
from tests.tiny import plant_code, save_tiny_bert, tiny_tokenizer

TEXTS = some_texts(70)


@pytest.fixture(scope="module")
def retriever(tmp_path_factory):
    """The folder of a tiny model of sentence-transformers, with prompts."""
    return save_tiny_retriever(tmp_path_factory.mktemp("retriever"), prompts=PROMPTS)


@pytest.mark.parametrize("tokens", [1, 200, 4096])
def test_vectors_are_the_librarys(retriever, monkeypatch, tokens):
    """Of queries and of passages, prompts before them, whatever the batches are."""
    monkeypatch.setitem(dense.TOKENS, "cpu", tokens)
    monkeypatch.setattr(dense, "_PREPARED_AT_ONCE", 32)
    encoder = Encoder.load(retriever, device="cpu")
    model = SentenceTransformer(str(retriever), device="cpu")
    texts = [*TEXTS, "", TEXTS[3]]
    told = []
    passages = encoder.passages(texts, told.append)
    np.testing.assert_allclose(passages, model.encode_document(texts), atol=1e-6)
    np.testing.assert_allclose(encoder.queries(texts), model.encode_query(texts), atol=1e-6)
    assert not np.allclose(passages, encoder.queries(texts), atol=1e-3)
    assert passages.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(passages, axis=1), 1, atol=1e-6)
    assert told == sorted(told)
    assert told[-1] == len(set(texts))


def test_a_plain_model_is_pooled_by_the_mean():
    """Of its last layer over a text's tokens, special ones included, as transformers computes it."""
    model = BertModel.from_pretrained(plain_folder()).eval()
    wanted = []
    for text in TEXTS[:10]:
        inputs = tiny_tokenizer()(text, return_tensors="pt", truncation=True, max_length=64)
        with torch.inference_mode():
            mean = model(**inputs).last_hidden_state[0].mean(dim=0)
        wanted.append((mean / mean.norm()).numpy())
    found = Encoder.load(plain_folder(), device="cpu").passages(TEXTS[:10])
    np.testing.assert_allclose(found, np.stack(wanted), atol=1e-6)


def test_a_batch_has_few_tokens_and_texts_of_like_length(monkeypatch):
    """Padding counted, no batch is above the bound, and less than a tenth of all is padding."""
    encoder, seen = Encoder.load(plain_folder(), device="cpu"), []
    monkeypatch.setitem(dense.TOKENS, "cpu", 256)
    encoder.model.register_forward_pre_hook(lambda _, given: seen.append(given[0]["attention_mask"]))
    encoder.passages(some_texts(200))
    assert max(mask.numel() for mask in seen) <= 256
    assert sum(int((mask == 0).sum()) for mask in seen) < 0.1 * sum(mask.numel() for mask in seen)


def test_texts_are_cut_where_they_are_told_to_be():
    """A model of an unknown limit is given one; what is behind it changes nothing."""
    encoder = Encoder.load(plain_folder(), device="cpu", max_seq_length=6)
    one, other = encoder.passages(["the quick brown fox jumps over", "the quick brown fox runs to the bank"])
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_model_without_tokens_in_rows_encodes_by_itself(tmp_path):
    """Static embeddings have no padding to save."""
    static = StaticEmbedding(tiny_tokenizer().backend_tokenizer, embedding_dim=16)
    SentenceTransformer(modules=[static], device="cpu").save_pretrained(
        str(tmp_path), create_model_card=False
    )
    model = SentenceTransformer(str(tmp_path), device="cpu")
    wanted = model.encode_document(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(Encoder.load(tmp_path, device="cpu").passages(TEXTS), wanted, atol=1e-6)


def test_figures_agree_with_the_librarys_evaluator(retriever):
    """nDCG, MRR and recall of its own evaluator on the same probe, to 1e-6."""
    random = np.random.default_rng(3)
    queries = some_texts(40, seed=1)
    relevant = [sorted(set(random.integers(0, 70, 1 + place % 4).tolist())) for place in range(40)]
    evaluator = InformationRetrievalEvaluator(
        {str(place): query for place, query in enumerate(queries)},
        {f"{number:03d}": text for number, text in enumerate(TEXTS)},
        {str(place): {f"{number:03d}" for number in numbers} for place, numbers in enumerate(relevant)},
        write_csv=False,
    )
    wanted = evaluator(SentenceTransformer(str(retriever), device="cpu"))
    system = by_vectors("model", Encoder.load(retriever, device="cpu"), Passages(np.arange(70), TEXTS))
    found = figures(system(queries, 10), relevant)
    assert found.ndcg.mean() == pytest.approx(wanted["cosine_ndcg@10"], abs=1e-6)
    assert found.mrr.mean() == pytest.approx(wanted["cosine_mrr@10"], abs=1e-6)
    assert found.recall.mean() == pytest.approx(wanted["cosine_recall@10"], abs=1e-6)
    assert 0.05 < found.ndcg.mean() < 0.95


def test_code_of_a_folder_is_not_run(tmp_path, retriever):
    """Neither a model's own classes nor modules that are not the library's are loaded."""
    folder = plant_code(save_tiny_bert(tmp_path / "own-code"), tmp_path / "ran")
    assert len(Encoder.load(folder, device="cpu").queries(["fox"])) == 1
    modules = json.loads((retriever / "modules.json").read_text())
    modules[1]["type"] = "evil_model.Evil"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UserError, match=r"needs code of its own \(evil_model\.Evil in modules\.json\)"):
        Encoder.load(folder)
    assert not (tmp_path / "ran").exists()


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    """Pickled weights, an empty folder, broken files: a line each, with the folder's name."""
    with pytest.raises(UserError, match=r"neither config\.json nor modules\.json"):
        Encoder.load(tmp_path)
    pickled = save_tiny_bert(tmp_path / "pickled", safe=False)
    with pytest.raises(UserError, match="pickled does not load as a model of texts"):
        Encoder.load(pickled)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match="does not load as a model of texts") as caught:
        Encoder.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_vectors_that_are_no_numbers_are_refused():
    """A spoilt weight would make every distance NaN."""
    encoder = Encoder.load(plain_folder(), device="cpu")
    with torch.no_grad():
        next(encoder.model.parameters())[:] = torch.nan
    with pytest.raises(UserError, match="vectors that are NaN"):
        encoder.queries(["fox"])


def test_ranking_by_words_needs_no_torch():
    """Nothing of the room imports it before a model is loaded; the terminal's help takes no seconds."""
    code = (
        "import sys; import tasks.retrieval.probe, tasks.retrieval.dense; "
        "from tasks.retrieval.bm25 import Words; Words.of(['a fox']).rank(['fox'], 1); "
        "print([name for name in ('torch', 'transformers', 'sentence_transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
