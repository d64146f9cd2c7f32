"""Random numbers by counting instead of by a generator with a state.

Every draw is a hash of (seed, epoch, example, stream, place): the same for any batch, rank, data worker or
restart, and another one in each epoch. The hash is SplitMix64's output function (Steele, Lea, Flood: Fast
Splittable Pseudorandom Number Generators, 2014), a few vector operations for a whole batch.
"""

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Tokens = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_GOLDEN = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1


def mix(values: Words) -> Words:
    """SplitMix64's output function: a bijection of 64-bit words that spreads every bit over all."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def window_keys(seed: int, epoch: int, windows: Tokens) -> Words:
    """One 64-bit key for each window of an epoch.

    Args:
        seed: the run's seed.
        epoch: counted from 0.
        windows: (batch,) the windows' places in the dataset.
    """
    run = mix(_word(seed + _GOLDEN))
    pass_over = mix(run + _word((epoch + 1) * _GOLDEN))
    return mix(pass_over ^ mix(windows.astype(np.uint64) + _word(_GOLDEN)))


def draws(keys: Words, stream: int, positions: int) -> Words:
    """(batch, positions) uniform 64-bit words, one for each position of each window."""
    base = mix(keys + _word(stream * _GOLDEN))
    steps = np.arange(1, positions + 1, dtype=np.uint64) * _word(_GOLDEN)
    return mix(base[:, None] + steps[None, :])


def _word(number: int) -> Words:
    """A number's lower 64 bits, as an array: numpy warns of scalars that wrap round, as they are meant to."""
    return np.array([number & _WORD], np.uint64)


def uniform(words: Words) -> npt.NDArray[np.float64]:
    """Words as numbers in [0, 1), by their upper 53 bits."""
    numbers: npt.NDArray[np.float64] = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers
