"""The worker: what happens after the response."""
