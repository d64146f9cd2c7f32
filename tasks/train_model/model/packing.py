"""The windows of a batch end to end in one row, without padding, and none of them sees another.

Batches by length leave less than 1 % of padding, but a batch that has any needs an attention mask, which
keeps a GPU from its flash kernel. A packed row needs none: attention is told where each window ends
(`cu_seq_lens`, as transformers name it), and torch's own `varlen_attn` computes each window by itself. On a
CPU, which has no such kernel, windows are computed one after another: exact, and slower than batches.
"""

from collections.abc import Iterator
from itertools import pairwise, starmap
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import PreTrainedModel

from tasks.train_model.batches.batch import packed_batch, padded_batch
from tasks.train_model.batches.masking import IGNORED
from tasks.train_model.model.attention import attention_name, use_attention
from tasks.train_model.model.evaluation import predict
from tasks.train_model.model.heads import TOLERANCE, SparseRows
from tasks.train_model.model.modes import evaluating
from tasks.train_model.model.trying import FAULTS
from tasks.training.hardware import Precision
from tasks.training.processes import ranks

ATTENTION = "docs_mlm_packed"
"""The name under which transformers finds `packed_attention`."""
FLASH = (8, 0)
"""The oldest CUDA architecture with the kernel, Ampere."""


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    cu_seq_lens_q: Tensor | None = None,
    cu_seq_lens_k: Tensor | None = None,
    max_length_q: int = 0,
    max_length_k: int = 0,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention of the windows of a packed row, each to itself; of a batch, where no ends are given.

    Args:
        query: (1, heads, tokens, head width), as `key` and `value`, which may have other tokens.

    Returns:
        (1, tokens, heads, head width), and no weights.

    Raises:
        NotImplementedError: the layer looks only so far to both sides (ModernBERT's local ones).
    """
    if cu_seq_lens_q is None or cu_seq_lens_k is None:
        attended: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
        return attended
    if options.get("sliding_window") is not None or key.shape[1] != query.shape[1]:
        raise NotImplementedError("packed rows have neither local attention nor shared heads")
    if query.is_cuda and torch.is_autocast_enabled("cuda"):
        from torch.nn.attention.varlen import varlen_attn

        # Rotary positions leave fp32 behind.
        half = torch.get_autocast_dtype("cuda")
        asking, asked, told = (tensor[0].transpose(0, 1).to(half) for tensor in (query, key, value))
        ends = (cu_seq_lens_q, cu_seq_lens_k, max_length_q, max_length_k)
        found: Any = varlen_attn(asking, asked, told, *ends, scale=scaling)
        return found[None], None
    parts = [
        nn.functional.scaled_dot_product_attention(
            query[:, :, mine], key[:, :, theirs], value[:, :, theirs], scale=scaling
        )
        for mine, theirs in zip(_slices(cu_seq_lens_q), _slices(cu_seq_lens_k), strict=True)
    ]
    return torch.cat(parts, dim=2).transpose(1, 2), None


def _slices(ends: Tensor) -> Iterator[slice]:
    return starmap(slice, pairwise(ends.tolist()))


def first_position(model: PreTrainedModel) -> int:
    """The position of a window's first token: RoBERTa's follows its padding token."""
    embeddings = getattr(model.base_model, "embeddings", None)
    padding = getattr(embeddings, "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


def prepare_packing(model: PreTrainedModel, rows: SparseRows, precision: Precision) -> str | None:
    """Make a model take packed rows, or leave it as it was.

    Returns:
        None if it takes them, or why not: the machine has no kernel for them, or two windows in a row do not
        come out as two windows in a batch.
    """
    if torch.cuda.is_available():
        gpu = torch.device("cuda", ranks.local_rank())
        if precision != "bf16" or torch.cuda.get_device_capability(gpu) < FLASH:
            return "flash attention needs bf16 and a GPU of compute capability 8.0 or newer"
        if (problem := try_kernel(model, gpu)) is not None:
            return f"torch {torch.__version__} has no kernel for this model's heads: {problem}"
    before = attention_name(model.config)
    if before != "sdpa" or rows.depth == "none":
        return f"{type(model).__name__} has no attention that can be told where windows end"
    use_attention(model, ATTENTION, packed_attention)
    if _alike(model, rows):
        return None
    model.set_attn_implementation(before)
    return f"{type(model).__name__} computes other logits for packed rows"


def try_kernel(model: PreTrainedModel, gpu: torch.device) -> str | None:
    """Why a GPU's kernel does not run, there and back, on heads as wide as this model's; None if it does."""
    heads = model.config.num_attention_heads
    shape = (1, heads, 5, model.config.hidden_size // heads)
    query, key, value = (torch.ones(shape, device=gpu, requires_grad=True) for _ in range(3))
    # The second of three windows asks nothing, as one without masked tokens does in the last layer.
    ends = [torch.tensor(places, dtype=torch.int32, device=gpu) for places in ([0, 2, 2, 5], [0, 2, 3, 5])]
    told: dict[str, Any] = {
        "cu_seq_lens_q": ends[0],
        "cu_seq_lens_k": ends[1],
        "max_length_q": 3,
        "max_length_k": 2,
    }
    try:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            found, _ = packed_attention(model, query, key, value, None, scaling=0.1, **told)
        torch.autograd.grad(found.float().sum(), (query, key, value))
    except (ImportError, RuntimeError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def _alike(model: PreTrainedModel, rows: SparseRows) -> bool:
    """Whether two windows in one row have the logits that they have in a batch."""
    # RoBERTa counts positions past its padding token, which no real token of a window is.
    config = model.config.get_text_config()
    tokens = np.setdiff1d(np.arange(config.vocab_size), [config.pad_token_id or 0])
    seen = np.resize(tokens, (2, 12))
    real = np.arange(12)[None] < np.array([[12], [9]])
    labels = np.where((seen % 3 == 0) & real, seen, IGNORED)
    try:
        with evaluating(model), torch.no_grad():
            batched, _ = predict(model, rows, padded_batch(seen, labels, real))
            packed, _ = predict(model, rows, packed_batch(seen, labels, real, first_position(model)))
    except FAULTS:  # it takes no positions, or has another attention
        return False
    return packed.shape == batched.shape and bool((packed - batched).abs().max() < TOLERANCE)
