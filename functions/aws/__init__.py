"""The clients of AWS, and everything that calls AWS."""
