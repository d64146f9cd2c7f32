"""Tests of the flows and the command, against a real Prefect server."""
