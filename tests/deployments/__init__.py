"""Tests of the deployments, against a real Prefect server and a real worker."""
