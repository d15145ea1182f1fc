"""The program's own colours, for terminals of 16, 256 and 16 million of them, dark and light.

Every text has a colour and a ground; each such pair that is drawn stands in `Palette.pairs`, and a test computes that its contrast (WCAG 2.1, relative
luminance) is 4.5:1 or more. With 256 colours only those are used that the terminal cannot have been given other values for (16-255); with 16, the names,
chosen so that the pairs hold with the values of xterm and of the VGA console. What a colour says is said by a mark or a word, too.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from zlib import crc32

from textual.theme import Theme


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours by what they are for, as `#rrggbb` or Textual's `ansi_` names. A name that ends in `_ground` is what text lies on."""

    dark: bool
    text: str
    ground: str
    panel_ground: str
    """Of the title bar and of menus."""
    edit_ground: str
    """Of a line that is being edited."""
    quiet: str
    """What stands back: generated fields, offsets."""
    rule: str
    """Frames of panes without the focus; no text."""
    accent: str
    """Keys, headings, and the frame of the pane with the focus."""
    error: str
    warning: str
    good: str
    error_ground: str
    request: str
    response: str
    plain: str
    """Rows of segments without a message."""
    protocols: tuple[str, ...]
    cursor: str
    cursor_ground: str
    cursor_error: str
    """The mark and the words of an error on the cursor's row."""
    blurred: str
    blurred_ground: str
    """The cursor's row in a pane without the focus."""
    blurred_error: str
    field: str
    field_ground: str
    """The selected field's bytes."""
    message: str
    message_ground: str
    """The bytes of the message that it belongs to."""
    byte: str
    byte_ground: str
    """The byte under the cursor."""
    thumb: str
    track: str

    def pairs(self) -> Iterator[tuple[str, str, str]]:
        """Every (name, text, ground) that is drawn."""
        for name in ("text", "quiet", "accent", "error", "warning", "good"):
            for ground in ("ground", "panel_ground"):
                yield f"{name} on {ground}", getattr(self, name), getattr(self, ground)
        for name in ("request", "response", "plain", "warning"):
            yield name, getattr(self, name), self.ground
        for name in ("request", "response", "plain", "error"):
            yield f"{name} of an error", getattr(self, name), self.error_ground
        for number, colour in enumerate(self.protocols):
            yield f"protocol {number}", colour, self.ground
            yield f"protocol {number} of an error", colour, self.error_ground
        yield "text being edited", self.text, self.edit_ground
        for name in ("cursor", "blurred"):
            yield name, getattr(self, name), getattr(self, name + "_ground")
            yield f"{name} on an error", getattr(self, name + "_error"), getattr(self, name + "_ground")
        for name in ("field", "message", "byte"):
            yield name, getattr(self, name), getattr(self, name + "_ground")

    def variables(self) -> dict[str, str]:
        """The colours as the variables that the program's style sheets name: `$pv-error`, `$pv-protocol-2`."""
        single = {f"pv-{one.name.replace('_', '-')}": getattr(self, one.name) for one in fields(self) if one.name not in ("dark", "protocols")}
        return {**single, **{f"pv-protocol-{number}": colour for number, colour in enumerate(self.protocols)}}

    def theme(self, name: str) -> Theme:
        """The palette as a theme: Textual's own widgets take what is nearest."""
        return Theme(
            name=name, dark=self.dark, ansi=self.text.startswith("ansi_"), primary=self.cursor_ground, secondary=self.accent, accent=self.accent,
            warning=self.warning, error=self.error, success=self.good, foreground=self.text, background=self.ground, surface=self.panel_ground,
            panel=self.panel_ground, boost=self.edit_ground,
            variables={
                **self.variables(), "text-error": self.error, "text-warning": self.warning, "text-success": self.good, "text-accent": self.accent,
                "block-cursor-foreground": self.cursor, "block-cursor-background": self.cursor_ground, "text": self.text, "text-muted": self.quiet,
                "text-disabled": self.quiet,
                "border-blurred": self.rule,
                "ansi-background": "ansi_black" if self.dark else "ansi_white", "ansi-foreground": "ansi_white" if self.dark else "ansi_black",
                "scrollbar": self.thumb, "scrollbar-hover": self.accent, "scrollbar-active": self.accent, "scrollbar-background": self.track,
                "scrollbar-background-hover": self.track, "scrollbar-background-active": self.track, "scrollbar-corner-color": self.track,
                "input-cursor-background": self.text, "input-cursor-foreground": self.ground, "input-cursor-text-style": "none",
            } | ({"input-cursor-text-style": "reverse", "input-cursor-background": "ansi_default", "input-cursor-foreground": "ansi_default"}
                 if self.text.startswith("ansi_") else {}),
        )


PALETTES = {
    ("truecolor", "dark"): Palette(
        dark=True, text="#e0e0e0", ground="#121212", panel_ground="#22262b", edit_ground="#1c2126", quiet="#a6a6a6", rule="#7a7a7a", accent="#ffb454",
        error="#ff8a80", warning="#ffcc66", good="#7fd88f", error_ground="#2a1517", request="#f5f5f5", response="#b9c4d0", plain="#8f8f8f",
        protocols=("#7ab8ff", "#8fd694", "#e6a8ff", "#ffb86b", "#5fd7d7", "#f2a5b8", "#c5c56a", "#b0b8ff"),
        cursor="#ffffff", cursor_ground="#0b4a7a", cursor_error="#ffc2bc", blurred="#f0f0f0", blurred_ground="#2f3a44", blurred_error="#ffb3ab",
        field="#ffffff", field_ground="#0b4a7a", message="#e0e0e0", message_ground="#1d2f40", byte="#121212", byte_ground="#ffb454",
        thumb="#7a8794", track="#1f2327"),
    ("256", "dark"): Palette(
        dark=True, text="#dadada", ground="#121212", panel_ground="#262626", edit_ground="#1c1c1c", quiet="#a8a8a8", rule="#767676", accent="#ffaf5f",
        error="#ff8787", warning="#ffd75f", good="#87d787", error_ground="#121212", request="#eeeeee", response="#b2b2b2", plain="#8a8a8a",
        protocols=("#5fafff", "#87d787", "#d7afff", "#ffaf5f", "#5fd7d7", "#ffafd7", "#d7d787", "#afafff"),
        cursor="#ffffff", cursor_ground="#005f87", cursor_error="#ffffaf", blurred="#eeeeee", blurred_ground="#3a3a3a", blurred_error="#ffafaf",
        field="#ffffff", field_ground="#005f87", message="#dadada", message_ground="#303030", byte="#121212", byte_ground="#ffaf5f",
        thumb="#808080", track="#1c1c1c"),
    ("standard", "dark"): Palette(
        dark=True, text="ansi_default", ground="ansi_default", panel_ground="ansi_default", edit_ground="ansi_default", quiet="ansi_white",
        rule="ansi_white", accent="ansi_bright_cyan", error="ansi_bright_red", warning="ansi_bright_yellow", good="ansi_bright_green",
        error_ground="ansi_default", request="ansi_bright_white", response="ansi_cyan", plain="ansi_white",
        protocols=("ansi_bright_cyan", "ansi_bright_green", "ansi_bright_magenta", "ansi_bright_yellow", "ansi_cyan", "ansi_green", "ansi_bright_white",
                   "ansi_white"),
        cursor="ansi_bright_white", cursor_ground="ansi_blue", cursor_error="ansi_bright_yellow", blurred="ansi_black", blurred_ground="ansi_cyan",
        blurred_error="ansi_black", field="ansi_bright_white", field_ground="ansi_blue", message="ansi_bright_cyan", message_ground="ansi_default",
        byte="ansi_black", byte_ground="ansi_white", thumb="ansi_white", track="ansi_black"),
    ("truecolor", "light"): Palette(
        dark=False, text="#1c1c1c", ground="#fcfcfc", panel_ground="#e6eaee", edit_ground="#f0f2f5", quiet="#555555", rule="#8a8a8a", accent="#0550ae",
        error="#a40e26", warning="#7a4b00", good="#116329", error_ground="#fdeceb", request="#000000", response="#3d4a57", plain="#6b6b6b",
        protocols=("#0550ae", "#116329", "#7d1fa6", "#8a4600", "#00606b", "#9b1c5a", "#5c5c00", "#3f3fb0"),
        cursor="#ffffff", cursor_ground="#0b5394", cursor_error="#ffe3a8", blurred="#000000", blurred_ground="#c9d9ea", blurred_error="#8b0a1e",
        field="#ffffff", field_ground="#0b5394", message="#1c1c1c", message_ground="#dbe7f3", byte="#000000", byte_ground="#ffb454",
        thumb="#8795a3", track="#e6eaee"),
    ("256", "light"): Palette(
        dark=False, text="#1c1c1c", ground="#ffffff", panel_ground="#e4e4e4", edit_ground="#eeeeee", quiet="#585858", rule="#8a8a8a", accent="#005f87",
        error="#af0000", warning="#5f5f00", good="#005f00", error_ground="#ffffff", request="#080808", response="#444444", plain="#6c6c6c",
        protocols=("#005faf", "#005f00", "#870087", "#875f00", "#005f5f", "#af005f", "#5f5f00", "#5f5faf"),
        cursor="#ffffff", cursor_ground="#005f87", cursor_error="#ffffaf", blurred="#080808", blurred_ground="#d0d0d0", blurred_error="#870000",
        field="#ffffff", field_ground="#005f87", message="#1c1c1c", message_ground="#d7d7ff", byte="#080808", byte_ground="#ffaf5f",
        thumb="#8a8a8a", track="#e4e4e4"),
    ("standard", "light"): Palette(
        dark=False, text="ansi_default", ground="ansi_default", panel_ground="ansi_default", edit_ground="ansi_default", quiet="ansi_black",
        rule="ansi_black", accent="ansi_blue", error="ansi_red", warning="ansi_red", good="ansi_blue", error_ground="ansi_default",
        request="ansi_black", response="ansi_blue", plain="ansi_black", protocols=("ansi_blue",) * 8,
        cursor="ansi_bright_white", cursor_ground="ansi_blue", cursor_error="ansi_bright_yellow", blurred="ansi_black", blurred_ground="ansi_cyan",
        blurred_error="ansi_black", field="ansi_bright_white", field_ground="ansi_blue", message="ansi_blue", message_ground="ansi_default",
        byte="ansi_black", byte_ground="ansi_cyan", thumb="ansi_black", track="ansi_white"),
}
KNOWN = ("Kafka", "MongoDB", "RocketMQ", "ZooKeeper", "Iggy", "HTTP", "DNS", "WebSocket")
"""Protocols with a colour of their own; the others share these."""
COLOURS = len(KNOWN)


def protocol_colour(name: str) -> int:
    """The number of a protocol's colour: always the same one for the same name."""
    return KNOWN.index(name) if name in KNOWN else crc32(name.encode()) % COLOURS
