"""Tests of what a training step sees."""
