"""Top floor: the command line and the Textual application. Knows screens, keys and text; knows no bytes."""
