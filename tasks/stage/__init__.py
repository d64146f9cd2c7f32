"""What a stage is, and how any stage is run."""
