"""A stream as a dialogue."""
