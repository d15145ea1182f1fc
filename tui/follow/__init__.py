"""A stream, followed from its first message to its last."""
