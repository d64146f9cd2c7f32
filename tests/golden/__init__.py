"""What each stage makes of a few tiny documents, pinned by version."""
