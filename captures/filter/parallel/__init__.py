"""A filter's work shared among processes."""
