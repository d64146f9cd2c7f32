"""Every setting is tied to what it changes."""
