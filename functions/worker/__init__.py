"""What happens after a response."""
