"""Pairs of segments: true ones adjacent, false ones of two documents, balanced, and drawn by counting."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.boundaries import SENTENCE
from tasks.errors import UserError
from tasks.train_model.batches.masking import IGNORED
from tasks.train_model.batches.pairs import FALSE, FOLLOWS, FRAME, Kind, Pairs, PairTable
from tasks.train_model.batches.sentences import Documents, cut_chunks
from tasks.train_model.reading import read_windows


def make_documents(lengths: list[int], seed: int = 0) -> Documents:
    """Documents of so many tokens, of sentences and words of many lengths; every token is another id."""
    generator = np.random.default_rng(seed)
    levels = generator.choice([0, 1, 2], sum(lengths), p=[0.3, 0.6, 0.1]).astype(np.uint8)
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    levels[offsets[:-1][np.array(lengths) > 0]] = SENTENCE
    ids = np.arange(10, 10 + sum(lengths), dtype=np.int32)
    return Documents(ids=ids, code=np.zeros(len(ids), bool), levels=levels, offsets=offsets)


LENGTHS = st.lists(st.integers(0, 400), min_size=2, max_size=12).filter(lambda x: sum(n > 1 for n in x) > 1)
KINDS = st.sampled_from(["nsp", "sop"])


def make(documents: Documents, kind: Kind, room: int, short_share: float = 0.1, seed: int = 3) -> Pairs:
    """Pairs with room for so many tokens, without the special ones."""
    frame = (2, 3)
    return Pairs(
        documents, kind, max_seq_length=room + FRAME, short_share=short_share, seed=seed, frame=frame
    )


def drawn(documents: Documents, kind: Kind, room: int, epoch: int, **changes: float) -> PairTable:
    """The pairs of one epoch."""
    return make(documents, kind, room, **changes).table(epoch)


@given(lengths=LENGTHS, kind=KINDS, room=st.integers(5, 200), epoch=st.integers(0, 3), short=st.floats(0, 1))
@example(lengths=[120, 2], kind="nsp", room=22, epoch=3, short=0.5)  # an epoch that left one document alone
@settings(max_examples=150, deadline=None)
def test_pairs_are_what_their_labels_say(
    lengths: list[int], kind: Kind, room: int, epoch: int, short: float
) -> None:
    """True pairs are adjacent in one document, false ones of two (or swapped); bounded and balanced."""
    documents = make_documents(lengths)
    table = drawn(documents, kind, room, epoch, short_share=short)
    (a, b), false = (table.a, table.b), table.labels == FALSE
    assert (a[:, 0] < a[:, 1]).all()
    assert (b[:, 0] < b[:, 1]).all()
    assert table.lengths.max() <= room + FRAME
    assert false.sum() == len(table.labels) // 2
    document = [documents.document_of(places) for places in (a[:, 0], a[:, 1] - 1, b[:, 0], b[:, 1] - 1)]
    assert (document[0] == document[1]).all()
    assert (document[2] == document[3]).all()
    assert (a[~false, 1] == b[~false, 0]).all()
    assert (document[0] == document[2])[~false].all()
    if kind == "nsp":
        assert (document[0] != document[2])[false].all()
    else:
        assert (b[false, 1] == a[false, 0]).all()
        assert (document[0] == document[2])[false].all()


@given(lengths=LENGTHS, room=st.integers(5, 200), epoch=st.integers(0, 3), short=st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_chunks_lose_nothing(lengths: list[int], room: int, epoch: int, short: float) -> None:
    """Chunks follow one another, and only a document's last token may be left out."""
    documents = make_documents(lengths)
    chunks = cut_chunks(documents, room, short, seed=3, epoch=epoch)
    seen = np.zeros(len(documents.ids), np.int64)
    for start, end in chunks:
        assert 2 <= end - start <= room
        seen[start:end] += 1
    assert seen.max() == 1
    missed = np.flatnonzero(seen == 0)
    assert np.isin(missed + 1, documents.offsets).all()


def test_segments_are_filled_and_end_with_sentences() -> None:
    """Without short ones, pairs fill nine tenths of the room, and nearly every segment ends at a sentence."""
    documents = make_documents([2000] * 60)
    table = drawn(documents, "nsp", 125, 0, short_share=0.0)
    assert table.lengths.mean() > 0.9 * 128
    for segment in (table.a, table.b):
        for edge in (segment[:, 0], segment[:, 1]):
            assert np.isin(edge, documents.sentences).mean() > 0.98


def test_the_short_share_is_short() -> None:
    """With a tenth of the chunks drawn short, about a tenth have less than three quarters of the room."""
    documents = make_documents([60_000] * 2)
    shares = [
        (drawn(documents, "nsp", 250, 0, short_share=share).lengths < 190).mean() for share in (0.0, 0.1, 0.5)
    ]
    assert shares[0] < 0.04
    assert 0.05 < shares[1] - shares[0] < 0.12
    assert shares[2] > 0.35


def test_nothing_but_sense_tells_false_from_true() -> None:
    """Lengths of both segments, and how they end, are the same for both labels of NSP."""
    documents = make_documents([1500] * 500)
    table = drawn(documents, "nsp", 125, 1)
    false = table.labels == FALSE
    for segment in (table.a, table.b):
        lengths, ends = np.diff(segment)[:, 0], np.isin(segment[:, 1], documents.sentences)
        assert lengths[false].mean() == pytest.approx(lengths[~false].mean(), rel=0.06)
        assert ends[false].mean() == pytest.approx(ends[~false].mean(), abs=0.02)


@pytest.mark.parametrize("kind", ["nsp", "sop"])
def test_epochs_have_equally_many_pairs_and_other_ones(kind: Kind) -> None:
    """Each epoch has as many pairs, over 98 % of all text in them, and other cuts and partners."""
    documents = make_documents([1500] * 80)
    pairs = make(documents, kind, 125)
    tables = [pairs.table(epoch) for epoch in range(4)]
    assert {len(table.labels) for table in tables} == {len(pairs)}
    for table in tables:
        seen = np.zeros(len(documents.ids), bool)
        for start, end in np.concatenate((table.a, table.b)):
            seen[start:end] = True
        assert seen.mean() > 0.98
    again = {tuple(row) for row in tables[0].a} & {tuple(row) for row in tables[1].a}
    assert len(again) < 0.2 * len(pairs)
    other = drawn(documents, kind, 125, 0, seed=2)
    assert not np.array_equal(other.labels[:500], tables[0].labels[:500])


def test_an_epoch_can_be_drawn_at_any_time() -> None:
    """A process that begins in epoch 3, as after a restart, has the pairs of one that began in epoch 0."""
    documents = make_documents([700] * 20)
    begun, restarted = (make(documents, "nsp", 61, 0.2) for _ in range(2))
    for epoch in range(3):
        begun.table(epoch)
    one, other = begun.table(3), restarted.table(3)
    assert np.array_equal(one.a, other.a)
    assert np.array_equal(one.b, other.b)
    assert np.array_equal(one.labels, other.labels)


def test_rows_are_the_pairs_in_their_frame() -> None:
    """A row is [CLS] A [SEP] B [SEP] and padding, with types, labels and flags to match."""
    documents = make_documents([90, 70, 120], seed=4)
    pairs = make(documents, "nsp", 29, 0.3)
    table, chosen = pairs.table(2), np.array([4, 0, -1, 7])
    rows = pairs.rows(chosen, 2, pad_token_id=0)
    assert rows.labels[2] == IGNORED
    for row, pair in enumerate(np.maximum(chosen, 0)):
        first = documents.ids[slice(*table.a[pair])].tolist()
        second = documents.ids[slice(*table.b[pair])].tolist()
        real = rows.real[row]
        assert rows.ids[row][real].tolist() == [2, *first, 3, *second, 3]
        assert rows.types[row][real].tolist() == [0] * (len(first) + 2) + [1] * (len(second) + 1)
        assert not rows.types[row][~real].any()
        assert (rows.ids[row][~real] == 0).all()
        if chosen[row] >= 0:
            assert rows.labels[row] == table.labels[pair]
        begins = documents.levels[slice(*table.b[pair])] > 0
        assert rows.begins[row][real].tolist()[-1 - len(second) : -1] == begins.tolist()


def test_false_segments_of_few_documents() -> None:
    """With two documents false Bs are of the other one; with one alone the message says what to choose."""
    table = drawn(make_documents([300, 6]), "nsp", 29, 0)
    assert (table.labels == FALSE).any()
    with pytest.raises(UserError, match=r"other documents.*fewer than two.*mlm\+sop"):
        drawn(make_documents([300, 1]), "nsp", 29, 0)
    assert (drawn(make_documents([300]), "sop", 29, 0).labels == FOLLOWS).any()


def test_documents_come_back_from_their_windows(tokenized: Path) -> None:
    """Without special tokens, a document is its windows one after the other, flags included."""
    windows = read_windows(tokenized)["train"]
    documents = windows.documents()
    assert len(documents.offsets) - 1 == 13
    assert not np.isin(documents.ids, [2, 3]).any()
    second = [windows.ids[windows.offsets[w] + 1 : windows.offsets[w + 1] - 1] for w in range(4, 8)]
    assert documents.ids[slice(*documents.offsets[1:3])].tolist() == np.concatenate(second).tolist()
    assert documents.code.sum() == windows.code.sum()
    assert np.isin(documents.offsets, documents.sentences).all()
