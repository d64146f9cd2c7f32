"""Finding passages: rankings by words and by vectors, how good they are, and an index to search."""
