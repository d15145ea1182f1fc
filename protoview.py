"""The public face: what the author of a decoder imports, and `python -m protoview`.

Everything a plugin needs is here; the modules behind it may move. What needs numpy is imported when it is first used, so that a plugin does not load
it: `Capture` (a capture opened from a script), and the columns by which a `Fast` reads many messages at once.
"""
from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from protocols import decoder
from protocols.decoder import *  # noqa: F403
from protocols.engine import fields, records
from protocols.engine.fields import *  # noqa: F403
from protocols.engine.records import *  # noqa: F403

if TYPE_CHECKING:
    from captures.capture import Capture
    from protocols.message_heads import FieldColumn, HeaderColumns, MessageHeads

LATER = {
    "Capture": "captures.capture", "FieldColumn": "protocols.message_heads", "HeaderColumns": "protocols.message_heads",
    "MessageHeads": "protocols.message_heads",
}
"""Name -> the module that it is imported from when it is first used."""

__all__ = ["Capture", "FieldColumn", "HeaderColumns", "MessageHeads"]
__all__ += decoder.__all__
__all__ += fields.__all__
__all__ += records.__all__


def __getattr__(name: str) -> Any:
    if name in LATER:
        return getattr(import_module(LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if __name__ == "__main__":
    from tui.command.cli import main
    sys.exit(main())
