"""Find text or bytes in the capture."""
