"""Tests of the tokenizing stage."""
