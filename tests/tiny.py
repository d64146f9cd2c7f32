"""A tiny real BERT for tests: two layers, 32 wide, with a WordPiece tokenizer of a few sentences."""

import json
from functools import lru_cache
from pathlib import Path

from tasks.models.settings import ScratchSettings
from tasks.tokenize_corpus.wordpiece import train_tokenizer

SENTENCES = [
    "The quick brown fox jumps over the lazy dog near the river bank.",
    "Azure Arc connects servers, clusters and data services to one control plane.",
    "Run the command to install the agent, then restart the machine.",
]
SIZES = ScratchSettings(
    vocab_size=300,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=64,
)


@lru_cache
def tiny_tokenizer():
    """The tokenizer."""
    return train_tokenizer(lambda: SENTENCES, SIZES)


def save_tiny_bert(folder: Path, *, safe: bool = True, head: bool = True) -> Path:
    """Save model and tokenizer, without the MLM head or with pickled weights if asked."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertModel

    torch.manual_seed(0)
    sizes = SIZES.model_dump(exclude={"vocab_size", "lowercase"})
    config = BertConfig(vocab_size=len(tiny_tokenizer()), **sizes)
    model = BertForMaskedLM(config) if head else BertModel(config)
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    if not safe:
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


def plant_code(folder: Path, trace: Path) -> Path:
    """Let a saved model bring code of its own for all its parts, which leaves `trace` where it is run."""
    for name, base in (
        ("config", "BertConfig"),
        ("model", "BertForMaskedLM"),
        ("tokenizer", "BertTokenizer"),
    ):
        code = (
            f"import transformers\nopen({str(trace)!r}, 'w').close()\nclass Evil(transformers.{base}): pass\n"
        )
        (folder / f"evil_{name}.py").write_text(code)
    own = {
        "config.json": {"AutoConfig": "evil_config.Evil", "AutoModelForMaskedLM": "evil_model.Evil"},
        "tokenizer_config.json": {"AutoTokenizer": ["evil_tokenizer.Evil", None]},
    }
    for name, auto_map in own.items():
        values = json.loads((folder / name).read_text()) | {"auto_map": auto_map}
        (folder / name).write_text(json.dumps(values))
    return folder
