"""Tests of `tasks/retrieval`."""
