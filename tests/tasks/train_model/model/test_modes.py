"""A model is measured in evaluation mode, and left as it was."""

import pytest
import torch

from tasks.train_model.model.modes import evaluating


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_comes_back(training: bool) -> None:
    """Whichever it was, and also when what is measured fails."""
    model = torch.nn.Dropout().train(training)
    with evaluating(model):
        assert not model.training
    assert model.training is training
    with pytest.raises(ZeroDivisionError), evaluating(model):
        1 / 0  # noqa: B018 - what fails does not matter
    assert model.training is training
