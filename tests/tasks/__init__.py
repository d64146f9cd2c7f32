"""Tests of the stages and of what they share."""
