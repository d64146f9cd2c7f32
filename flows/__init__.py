"""The flows and the command: they know the order of the stages and nothing else."""
