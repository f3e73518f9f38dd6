"""The work of a function: what one request or message needs, and the handler that records it."""
