"""Benchmarks: run as modules, their results beside them."""
