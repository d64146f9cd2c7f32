"""How transformers' models attend, and their last layer from inside: what no interface of theirs tells.

The name of a model's attention is an attribute that transformers keeps to itself. And the last layer is
computed here as BERT's own code computes it, but for some rows only: `last_layer` finds it by the names of
its parts, so a layer of another build is left alone, and `SparseRows` tries what comes of it.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from transformers.models.bert.modeling_bert import eager_attention_forward

from tasks.train_model.batches.batch import MaskedPlaces


def attention_name(config: Any) -> str | None:
    """The name of the attention that a model of this configuration uses, such as `sdpa`."""
    name: str | None = config._attn_implementation
    return name


def use_attention(model: PreTrainedModel, name: str, attend: Callable[..., Any]) -> None:
    """Let a model attend by another function, with the masks that torch's own attention takes."""
    AttentionInterface.register(name, attend)
    AttentionMaskInterface.register(name, sdpa_mask)
    model.set_attn_implementation(name)


def last_layer(model: PreTrainedModel) -> Any | None:
    """The last layer, if it is built as BERT's (so are RoBERTa's, ELECTRA's, CamemBERT's), or None."""
    layers = getattr(getattr(model.base_model, "encoder", None), "layer", None)
    if not isinstance(layers, nn.ModuleList) or getattr(model.config, "is_decoder", False):
        return None
    layer: Any = layers[-1]
    parts = [f"attention.self.{name}" for name in ("query", "key", "value")]
    parts += ["attention.output", "intermediate.dense", "output.dense", "output.LayerNorm"]
    names = {name for name, _ in layer.named_modules()}
    attention = getattr(getattr(layer, "attention", None), "self", None)
    return layer if names.issuperset(parts) and hasattr(attention, "scaling") else None


def forward_rows(
    layer: Any, hidden: Tensor, attention_mask: Tensor | None, places: MaskedPlaces, told: dict[str, Any]
) -> Tensor:
    """A layer of `last_layer`, whose every row gives keys and values, for the masked rows alone.

    Args:
        hidden: (batch, positions, width).
        attention_mask: (batch, 1, positions, positions), as the layer takes it.
        told: what else the layer is told.

    Returns:
        (1, rows, width).
    """
    attention = layer.attention.self
    asking = hidden.gather(1, places.queries[..., None].expand(-1, -1, hidden.shape[-1]))

    def heads(projected: Tensor) -> Tensor:  # to (batch, heads, positions, head width)
        split = projected.view(*projected.shape[:-1], -1, attention.attention_head_size)
        return split.transpose(1, 2)

    attend = ALL_ATTENTION_FUNCTIONS.get_interface(attention_name(attention.config), eager_attention_forward)
    context, _ = attend(
        attention,
        heads(attention.query(asking)),
        heads(attention.key(hidden)),
        heads(attention.value(hidden)),
        # Padding is hidden from every query alike, so one row of the mask serves them all.
        None if attention_mask is None else attention_mask[:, :, :1, :],
        dropout=attention.dropout.p if attention.training else 0.0,
        scaling=attention.scaling,
        **places.ends(told),
    )
    context = context.flatten(2).flatten(0, 1).index_select(0, places.query_rows)
    attended = layer.attention.output(context, hidden.flatten(0, 1).index_select(0, places.rows))
    computed: Tensor = layer.output(layer.intermediate(attended), attended)[None]
    return computed
