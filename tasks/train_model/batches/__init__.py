"""What a training step sees: windows or pairs in a counted order, and their masks."""
