"""An index is searched by words, by vectors and by both, without torch where numpy gives the same."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import UserError
from tasks.retrieval import index as module
from tasks.retrieval.dense import Encoder
from tasks.retrieval.index import Index, build
from tasks.retrieval.light import LightEncoder
from tests.tasks.retrieval.models import PROMPTS, plain_folder, save_tiny_retriever, some_texts

TEXTS = ["Nothing here. Run the command to install the agent.", *some_texts(40), some_texts(40)[3]]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """An index of the texts with a tiny model, in small groups of rows."""
    folder = tmp_path_factory.mktemp("index")
    columns = {
        "path": [f"page-{number}.md" for number in range(len(TEXTS))],
        "heading": ["Install"] * len(TEXTS),
        "anchor": ["install"] * len(TEXTS),
        "text": TEXTS,
        "start": [100] * len(TEXTS),
        "end": [100 + len(text) for text in TEXTS],
    }
    pq.write_table(pa.table(columns), folder / "table.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_GROUP", 8)
        build(folder / "table.parquet", folder / "index", Encoder.load(plain_folder(), device="cpu"))
        build(folder / "table.parquet", folder / "words", lines=[7, *[None] * (len(TEXTS) - 1)])
    return folder


@pytest.mark.parametrize("mode", module.MODES)
def test_a_text_finds_itself_and_its_double_next(built, mode):
    """In every mode; the lower number comes first."""
    hits = Index(built / "index", plain_folder()).search(TEXTS[4], 2, mode)
    assert [hit.path for hit in hits] == ["page-4.md", "page-41.md"]


def test_a_hit_shows_the_sentence_that_matched(built):
    """And where in its document this begins."""
    (hit,) = Index(built / "words").search("which command installs the agent", 1, "bm25")
    assert (hit.path, hit.text) == ("page-0.md", "Run the command to install the agent.")
    assert hit.start == 100 + TEXTS[0].index("Run")
    assert hit.line == 7
    assert {hit.line for hit in Index(built / "words").search(TEXTS[4], 2, "bm25")} == {None}


def test_searching_by_words_imports_no_torch(built):
    """Nor does a search by vectors, where numpy makes the model's own."""
    for mode, folder in (("bm25", "words"), ("hybrid", "index")):
        code = (
            "import sys; from pathlib import Path; from tasks.retrieval.index import Index; "
            f"index = Index(Path({str(built / folder)!r}), Path({str(plain_folder())!r})); "
            f"index.search('fox', 3, {mode!r}); "
            "print('torch' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "False"


def test_numpy_makes_the_models_vectors(tmp_path):
    """Of a plain model and of one with prompts, cut where it is, whatever the text."""
    for folder in (plain_folder(), save_tiny_retriever(tmp_path, prompts=PROMPTS)):
        light = LightEncoder.load(folder)
        wanted = Encoder.load(folder, device="cpu").queries([*TEXTS, "", "C++ и naïve"])
        np.testing.assert_allclose(light.queries([*TEXTS, "", "C++ и naïve"]), wanted, atol=1e-5)


def test_what_cannot_be_searched_is_told(built, tmp_path):
    """An empty query, no index, an unknown mode, no vectors and no model: a line each."""
    words = Index(built / "words", plain_folder())
    for arguments, match in (
        ((" ",), "the query is empty"),
        (("fox", 0), "top_k is 0"),
        (("fox", 1, "magic"), "choose bm25, dense or hybrid"),
        (("fox", 1, "dense"), "holds no vectors"),
    ):
        with pytest.raises(UserError, match=match):
            words.search(*arguments)
    with pytest.raises(UserError, match="name its folder"):
        Index(built / "index").search("fox")
    with pytest.raises(UserError, match="holds no index"):
        Index(tmp_path)
    assert words.search("unheard", 3, "bm25") == []
