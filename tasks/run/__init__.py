"""A run as a whole: its plan before, its summary after."""
