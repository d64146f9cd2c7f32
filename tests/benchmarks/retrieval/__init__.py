"""What a retrieval model gains from a repository's own pairs."""
