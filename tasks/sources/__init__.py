"""Where documents come from: addresses, access and contents of the four sources, before any fetch."""
