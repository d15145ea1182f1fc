"""The public face: what the author of a decoder imports, and `python -m protoview`.

Everything a plugin needs is here; the modules behind it may move. `Capture` (a capture opened from a script) is imported when it is first
used, so that a plugin does not load what only captures need.
"""
from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from protocols import decoder
from protocols.decoder import *  # noqa: F403
from protocols.engine import fields, records
from protocols.engine.fields import *  # noqa: F403
from protocols.engine.records import *  # noqa: F403

if TYPE_CHECKING:
    from captures.capture import Capture

__all__ = ["Capture"]
__all__ += decoder.__all__
__all__ += fields.__all__
__all__ += records.__all__


def __getattr__(name: str) -> Any:
    if name == "Capture":
        from captures.capture import Capture
        return Capture
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if __name__ == "__main__":
    from tui.command.cli import main
    sys.exit(main())
