"""Tests of the stage that publishes a model."""
