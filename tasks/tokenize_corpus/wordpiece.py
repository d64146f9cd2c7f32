"""A tokenizer for a model from scratch, learned from the corpus."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tasks.models.settings import ScratchSettings


def alphabet_of(texts: Iterable[str], normalizer: Any, limit: int = 1000) -> list[str]:
    """The `limit` most frequent characters of the normalised texts, most frequent first."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(normalizer.normalize_str(text))
    known = sorted((-count, mark) for mark, count in counts.items() if not mark.isspace())
    return [mark for _, mark in known[:limit]]


def train_tokenizer(texts: Callable[[], Iterable[str]], settings: ScratchSettings) -> Any:
    """A WordPiece tokenizer of the texts, as BERT's: lowercased if asked, split at spaces and punctuation."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import BertTokenizer

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    learner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learner.normalizer = normalizers.BertNormalizer(lowercase=settings.lowercase)
    learner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    # Left to itself the trainer numbers the alphabet in the order of a hash map, anew in each run,
    # and equal counts are then merged in another order. Given as known tokens, the numbers are fixed.
    alphabet = alphabet_of(texts(), learner.normalizer)
    known = [*special, *alphabet, *(f"##{mark}" for mark in alphabet)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=max(settings.vocab_size, len(known)),
        special_tokens=known,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    learner.train_from_iterator(texts(), trainer)
    return BertTokenizer(
        vocab=learner.get_vocab(),
        do_lower_case=settings.lowercase,
        model_max_length=settings.max_position_embeddings,
    )
