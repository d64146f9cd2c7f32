"""What was forgotten: the loss on text of another kind, before and after."""

from typing import Any

import numpy as np

from tasks.evaluate_model.differences import before_and_after
from tasks.evaluate_model.general_texts import read_general
from tasks.evaluate_model.given import Given, NotMeasured
from tasks.evaluate_model.masked import cut_windows, load_tokenizer, mask_some, predict_both


def general(given: Given) -> dict[str, Any]:
    """The masked-language loss (nats a masked token) of both models on the same masked windows.

    In `not_measured` stands why there is none of the model `before`, if it fills no masks.

    Raises:
        NotMeasured: no general texts are given, or none can be had.
    """
    settings = given.settings
    if settings.general_texts is None:
        raise NotMeasured("no general texts are given: --evaluate.general-texts")
    texts = read_general(settings.general_texts, settings.max_tokens, settings.seed)
    tokenizer = load_tokenizer(given.trained)
    windows = [
        masked
        for window in cut_windows(texts, tokenizer, given.max_seq_length)
        if len((masked := mask_some(window, tokenizer)).places)
    ]
    if not windows:
        raise NotMeasured(f"{settings.general_texts} has no text of more than a few words")
    found, not_measured = predict_both(given, windows, tokenizer.pad_token_id)
    losses = {name: of_masks for name, (of_masks, _) in found.items()}
    names = [one.window.document for one in windows]
    documents = np.repeat(np.array(names), [len(one.places) for one in windows]).tolist()
    told = before_and_after(losses.get("before"), losses["after"], documents, settings.seed)
    return told | {"masked_tokens": len(documents), "not_measured": not_measured}
