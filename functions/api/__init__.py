"""The pipeline: a function becomes an HTTP operation."""
