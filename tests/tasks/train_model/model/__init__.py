"""Tests of what is trained, and how it is measured."""
