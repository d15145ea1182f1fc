"""Makes docs/screen.svg: the demo capture on a real screen, a refused operation selected.

    python docs/picture.py
"""
from __future__ import annotations

import asyncio
import re
from pathlib import Path

from captures.capture import Capture
from tui.app.app import ProtoviewApp
from tui.command.cli import demo

FONTS = re.compile(r"@font-face \{.*?\}", re.DOTALL)


async def picture() -> str:
    app = ProtoviewApp(Capture(demo()), start=15)
    async with app.run_test(size=(168, 44)) as pilot:
        await pilot.pause(0.6)
        await pilot.press("e", "tab", "j", "j", "j", "j", "j")
        await pilot.pause(0.4)
        return FONTS.sub("", app.export_screenshot(title="protoview zookeeper-recipes.pcap.gz"))  # fonts are the viewer's, nothing is fetched


if __name__ == "__main__":
    Path(__file__).with_name("screen.svg").write_text(asyncio.run(picture()))
