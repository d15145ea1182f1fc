"""The display filter's bar, its editing, completion and runs."""
