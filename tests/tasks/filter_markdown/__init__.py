"""Tests of the stage that makes a clean corpus."""
