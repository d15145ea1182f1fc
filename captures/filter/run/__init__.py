"""Finding the packets that a compiled filter shows."""
