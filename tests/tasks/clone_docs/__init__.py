"""Tests of the stage clone_docs."""
