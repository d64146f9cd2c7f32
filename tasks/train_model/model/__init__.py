"""The model in training: loaded, computed only where it must be, and measured."""
