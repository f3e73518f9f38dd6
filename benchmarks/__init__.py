"""What is measured rather than tested; each module runs with `python -m`."""
