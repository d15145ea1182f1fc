"""What can be wrong with a capture as a whole."""
from __future__ import annotations


class CaptureError(Exception):
    """The file cannot be opened as a capture; the text is one line for the user."""
