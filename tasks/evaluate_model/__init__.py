"""What the models are good for: probes on held-out documents, before and after."""
