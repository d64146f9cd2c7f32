"""Tests of the sources, before anything is fetched."""
