"""The stage that measures the models."""
