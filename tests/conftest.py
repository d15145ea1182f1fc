"""What all tests share."""
from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded and public captures, which is not part of the project: named by PROTOVIEW_CAPTURES."""
    folder = Path(os.environ.get("PROTOVIEW_CAPTURES", ""))
    if not os.environ.get("PROTOVIEW_CAPTURES") or not folder.is_dir():
        pytest.skip("PROTOVIEW_CAPTURES names no folder of captures")
    return folder
