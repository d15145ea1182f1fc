"""The terminal: driver, picture of the screen, clipboard."""
