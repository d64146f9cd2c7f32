"""Which passages answer which queries, mined from the documents themselves."""
