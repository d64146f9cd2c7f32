"""Git: addresses, access, its command, and a clone that holds what is needed and no more."""
