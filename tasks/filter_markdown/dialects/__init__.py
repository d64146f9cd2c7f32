"""What documentation builders add to Markdown, a file a builder, each with the table of its marks."""
