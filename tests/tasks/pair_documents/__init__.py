"""Tests of the mining of pairs."""
