"""What each builder adds to Markdown is read as its readers see it."""
