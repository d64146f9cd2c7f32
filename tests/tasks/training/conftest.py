"""What the stage's own tests train on."""

from tests.tasks.train_model.conftest import tokenized  # noqa: F401 - a fixture
