"""What a terminal runs."""
