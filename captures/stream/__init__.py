"""Streams of bytes in order, put together from the packets of the index."""
