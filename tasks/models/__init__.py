"""Models by name: the one that is adapted, and those that were published."""
