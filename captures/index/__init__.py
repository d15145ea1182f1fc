"""The packet index: what the headers of every packet say, as columns of numbers."""
