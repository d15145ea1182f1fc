"""Colours: what is drawn can be read on every kind of terminal, and each terminal gets the kind that it has."""
from __future__ import annotations

import pytest
from test_tui_screens import Session, run

from tui.parts.palette import PALETTES, Palette, protocol_colour
from tui.terminal.colours import DEPTHS, asked, depth, guessed, told

NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
XTERM = [
    "000000", "cd0000", "00cd00", "cdcd00", "0000ee", "cd00cd", "00cdcd", "e5e5e5",
    "7f7f7f", "ff0000", "00ff00", "ffff00", "5c5cff", "ff00ff", "00ffff", "ffffff",
]
VGA = [
    "000000", "aa0000", "00aa00", "aa5500", "0000aa", "aa00aa", "00aaaa", "aaaaaa",
    "555555", "ff5555", "55ff55", "ffff55", "5555ff", "ff55ff", "55ffff", "ffffff",
]
STEPS = (0x00, 0x5F, 0x87, 0xAF, 0xD7, 0xFF)
CASES = [pytest.param(palette, table, id=f"{kind}-{look}-{name}") for (kind, look), palette in PALETTES.items()
         for name, table in (("xterm", XTERM), ("vga", VGA)) if kind == "standard" or name == "xterm"]


def rgb(colour: str, table: list[str], default: str) -> tuple[int, int, int]:
    """A colour's values; `table` are those of the sixteen names, `default` that of the terminal's own."""
    if colour == "ansi_default":
        colour = "#" + default
    elif colour.startswith("ansi_"):
        name = colour.removeprefix("ansi_")
        colour = "#" + table[NAMES.index(name.removeprefix("bright_")) + 8 * name.startswith("bright_")]
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance by WCAG 2.1."""
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_the_standard_does() -> None:
    """WCAG's own bounds, and a grey known to be just under 4.5 on white."""
    assert contrast((0, 0, 0), (255, 255, 255)) == 21
    assert 4.47 < contrast((0x77, 0x77, 0x77), (255, 255, 255)) < 4.5


@pytest.mark.parametrize(("palette", "table"), CASES)
def test_every_text_can_be_read(palette: Palette, table: list[str]) -> None:
    ink, paper = ("e5e5e5", "000000") if palette.dark else ("000000", "ffffff")
    poor = {name: round(value, 2) for name, text, ground in palette.pairs() if (value := contrast(rgb(text, table, ink), rgb(ground, table, paper))) < 4.5}
    assert poor == {}


@pytest.mark.parametrize("look", ["dark", "light"])
def test_256_colours_are_those_that_every_terminal_has(look: str) -> None:
    """Cube and grey ramp of xterm (16-255): so nothing is rounded to a neighbour with another contrast."""
    for name, colour in PALETTES["256", look].variables().items():
        red, green, blue = rgb(colour, XTERM, "000000")
        grey = red == green == blue and (red - 8) % 10 == 0 and red <= 238
        assert grey or {red, green, blue} <= set(STEPS), name


def test_there_is_a_palette_for_every_terminal_and_all_have_the_same_colours() -> None:
    assert set(PALETTES) == {(kind, look) for kind in DEPTHS for look in ("dark", "light")}
    assert len({tuple(palette.variables()) for palette in PALETTES.values()}) == 1


@pytest.mark.parametrize(("environ", "kind"), [
    ({"TERM": "xterm-256color"}, "256"), ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor"), ({"TERM": "xterm"}, "standard"),
    ({"TERM": "linux"}, "standard"), ({"TERM": "screen-256color", "COLORTERM": "truecolor", "STY": "1.pts"}, "256"),
    ({"TERM": "screen", "COLORTERM": "24bit", "STY": "1.pts"}, "standard"), ({"TERM": "screen.xterm-256color", "COLORTERM": "24bit", "STY": "1"}, "256"),
    ({"TERM": "screen-256color", "COLORTERM": "truecolor", "TMUX": "/tmp/x"}, "truecolor"), ({"TERM": "tmux-256color"}, "256"), ({}, "standard"),
    ({"TERM": "xterm-direct"}, "truecolor")])
def test_the_kind_of_terminal_is_known_by_its_environment(environ: dict[str, str], kind: str) -> None:
    assert depth(environ) == kind


@pytest.mark.parametrize(("answer", "look"), [
    ("rgb:0000/0000/0000", "dark"), ("rgb:ffff/ffff/ffff", "light"), ("rgb:fdfd/f6f6/e3e3", "light"), ("rgb:00/2b/36", "dark"), ("rgb:f/f/f", "light"),
    ("rgba:ffff/ffff/ffff/ffff", "light"), ("black", None), ("", None)])
def test_the_terminals_answer_tells_dark_from_light(answer: str, look: str | None) -> None:
    assert told(answer) == look


def test_without_an_answer_the_environment_is_believed() -> None:
    assert [guessed({"COLORFGBG": value}) for value in ("15;0", "0;15", "0;default;15", "", "7;0")] == ["dark", "light", "light", "dark", "dark"]
    assert asked({"TERM": "xterm"}) and not asked({"TERM": "screen", "STY": "1"}) and not asked({"TERM": "linux"})


def test_the_five_protocols_have_colours_of_their_own() -> None:
    names = ("Kafka", "MongoDB", "RocketMQ", "ZooKeeper", "Iggy")
    assert len({protocol_colour(name) for name in names}) == len(names)


def test_rows_have_the_colour_of_what_they_are_and_errors_a_mark_and_colour_under_the_cursor_too() -> None:
    """In the capture of errors: a plain segment stands back, a request is bright, a response a step darker; an error's Info has
    another colour than its time."""
    async def scenario(s: Session) -> None:
        capture, rows = s.app.capture, s.list
        found = {}
        for i in range(60):
            row = capture.row(i)
            mark = {"┬": "request", "┴": "response"}.get(row.mark, "plain" if row.protocol == "TCP" else "other")
            found.setdefault(row.severity or mark, i)
        palette = PALETTES["truecolor", "dark"]
        s.app.theme = "protoview-truecolor-dark"
        await s.press("G")
        for kind, colour in (("plain", palette.plain), ("request", palette.request), ("response", palette.response)):
            segment = next(one for one in rows.line(found[kind]) if one.text.strip())
            assert segment.style is not None and segment.style.color is not None and segment.style.color.triplet is not None
            assert segment.style.color.triplet.hex == colour, kind
        error = found["error"]
        for here in (False, True):
            if here:
                rows.go(error)
            line = list(rows.line(error))
            assert "!" in "".join(one.text for one in line)[:2]
            colours = {one.style.color.triplet.hex for one in line if one.style and one.style.color and one.style.color.triplet}
            assert (palette.cursor_error if here else palette.error) in colours and len(colours) > 1
    run(scenario)


def test_the_answer_of_the_terminal_changes_the_theme() -> None:
    async def scenario(s: Session) -> None:
        s.app.background_told("rgb:ffff/ffff/ffff")
        await s.until(lambda: s.app.theme.endswith("-light"))
        s.app.background_told("rgb:0000/0000/0000")
        await s.until(lambda: s.app.theme.endswith("-dark"))
    run(scenario)
