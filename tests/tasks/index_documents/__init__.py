"""Tests of `tasks/index_documents`."""
