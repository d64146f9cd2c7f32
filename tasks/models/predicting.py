"""What a model predicts: the words of a text's masks, and whether one text follows another."""

from pathlib import Path

from tasks.errors import UserError
from tasks.models.checks import check_special_tokens, read_config
from tasks.models.limits import usable_positions
from tasks.models.weights import load_weights


def fill_masks(folder: Path, text: str, top_k: int) -> list[list[tuple[str, float]]]:
    """For each mask in `text`, the `top_k` likeliest tokens and their probabilities.

    Raises:
        UserError: the text has no mask or is longer than the model's positions, or the model has no MLM head
            or no mask token.
    """
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    check_special_tokens(tokenizer, str(folder))
    text = text.replace("[MASK]", tokenizer.mask_token)
    inputs = tokenizer(text, return_tensors="pt")
    places = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero().flatten()
    if not len(places):
        raise UserError(f"{text!r} has no [MASK]: write one where a word is to be guessed")
    config = read_config(folder, str(folder))
    model, missing = load_weights(AutoModelForMaskedLM, folder, config=config, trust_remote_code=False)
    if missing:
        raise UserError(
            f"{folder} lacks weights of the MLM head ({missing[0]}): adapt it with "
            f"`docs-mlm run --model.name-or-path {folder}`, or choose a model that fills masks"
        )
    model.eval()
    length, most = inputs["input_ids"].shape[1], usable_positions(config.to_dict())
    if length > most:
        raise UserError(f"the text has {length} tokens, but the model takes {most}: shorten it")
    with torch.inference_mode():
        scores = model(**inputs).logits[0, places].softmax(-1)
    best = scores.topk(min(top_k, scores.shape[-1]))
    return [
        [(tokenizer.decode([token]).strip(), float(score)) for token, score in zip(ids, values, strict=True)]
        for ids, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]


def follows(folder: Path, first: str, second: str) -> float:
    """The probability that `second` follows `first`, by the model's head for pairs of sentences.

    For a model of NSP: follows it rather than being of another document; of SOP: rather than going before it.

    Raises:
        UserError: the model has no such head, or the texts are longer than its positions.
    """
    import torch
    from transformers import AutoTokenizer, BertForNextSentencePrediction

    config = read_config(folder, str(folder))
    no_head = UserError(
        "this model has no head that says whether one text follows another: train one with "
        "--train.objective mlm+nsp, or leave --next out"
    )
    if not {"BertForPreTraining", "BertForNextSentencePrediction"} & set(config.architectures or ()):
        raise no_head
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    inputs = tokenizer(first, second, return_tensors="pt")
    length, most = inputs["input_ids"].shape[1], usable_positions(config.to_dict())
    if length > most:
        raise UserError(f"the two texts have {length} tokens, but the model takes {most}: shorten them")
    model, missing = load_weights(BertForNextSentencePrediction, folder)
    if missing:
        raise no_head
    model.eval()
    with torch.inference_mode():
        return float(model(**inputs).logits[0].softmax(-1)[0])
