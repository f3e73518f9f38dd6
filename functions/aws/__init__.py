"""Clients of AWS, and what is called through them."""
