"""The application's frame: keys, actions, workers, status, help."""
