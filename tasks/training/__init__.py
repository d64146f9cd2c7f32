"""Training on machines that may vanish, whatever is learnt."""
