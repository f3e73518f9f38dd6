"""The functions' code as Lambda gets it."""
