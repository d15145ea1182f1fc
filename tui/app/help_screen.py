"""Help, made from the action registry: first the keys that work where the user is, then, on a second `?`, every key there is."""
from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from rich.style import Style
from textual.app import ComposeResult
from textual.strip import Strip

from tui.filter.filter_keys import COMMANDS
from tui.main.command_line import WORDS
from tui.panes.copying import FORMS
from tui.parts import actions
from tui.parts.actions import Action
from tui.parts.formats import fit
from tui.parts.key_screen import KeyScreen
from tui.parts.keys import Press, shown
from tui.parts.pane import Rows

KEYS_WIDTH = 18
LEGEND = {
    "RRT": "request-response time: from a request to its response", "┬  ┴": "a request that has its response; a response",
    "!": "an error: red in Info, here and under the cursor", "▲": "a warning, as of a retransmission", "·": "a note",
    "▶": "the cursor", "+": "a packet that the filter hides, shown by r", "a-z *": "your mark",
    "bright row": "a request", "darker row": "a response", "dimmed row": "a segment without a message",
    "coloured word": "the protocol, always in the same colour",
    "per packet": "the filter holds for a packet, as in Wireshark", "per message": "for one message: with pv.* fields, or after :set rows message",
}
"""What signs and colours on the screen mean."""


class HelpPane(Rows):
    """Lines of help; headings are strong."""

    context = actions.HELP
    DEFAULT_CSS = """
    HelpPane { width: 100%; height: 100%; & > .help--heading { text-style: bold; color: $pv-accent; } }
    """
    COMPONENT_CLASSES = {"help--heading"}

    def __init__(self) -> None:
        super().__init__(id="help")
        self.text: list[tuple[bool, str]] = []

    @property
    def count(self) -> int:
        return len(self.text)

    def show(self, text: list[tuple[bool, str]]) -> None:
        self.text = text
        self.cursor = 0
        self.resize_lines()
        self.scroll_to(y=0, animate=False)
        self.refresh()

    def line(self, row: int) -> Strip:
        heading, text = self.text[row]
        style: Style = self.style_of("help--heading") if heading else self.plain_style
        return self.plain(fit(" " + text, self.area.width), style)

    def go(self, row: int) -> None:
        self.scroll_to(y=row, animate=False)
        self.cursor = self.scroll_offset.y


class HelpScreen(KeyScreen):
    """Lists the actions of the given contexts."""

    CONTEXTS = (actions.HELP,)

    def __init__(self, contexts: list[str]) -> None:
        super().__init__()
        self._contexts = contexts
        self._whole = False
        self.pane = HelpPane()

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.set_focus(self.pane)
        self._fill()

    def _fill(self) -> None:
        contexts = list(actions.TITLES) if self._whole else self._contexts
        title = "every key" if self._whole else actions.TITLES[contexts[0]]
        self.pane.set_title(f"Help · {title}  ({'' if self._whole else '? again for every key, '}q closes)")
        self.pane.show(help_lines(contexts, self.app.size.width - 4))

    def on_resize(self) -> None:
        self._fill()

    def do_help(self, _press: Press) -> None:
        self._whole = not self._whole
        self._fill()


def help_lines(contexts: Iterable[str], width: int) -> list[tuple[bool, str]]:
    """The help as (is a heading, text), in as many columns as `width` cells hold."""
    lines: list[tuple[bool, str]] = []
    for context in contexts:
        groups: dict[str, list[Action]] = {}
        for action in actions.in_contexts([context]):
            groups.setdefault(action.group, []).append(action)
        for group, members in groups.items():
            lines.append((True, f"{actions.TITLES[context]} · {group}"))
            entries = [_entry(action) for action in members]
            cell = max(cell_len(entry) for entry in entries) + 2
            rows = -(-len(entries) // max(1, width // cell))
            lines += [(False, "".join(fit(entry, cell) for entry in entries[row::rows]).rstrip()) for row in range(rows)]
            if any(action.method == "do_copy" and len(action.keys[0]) > 1 for action in members):
                lines += [(False, f"    y{form.letter:{KEYS_WIDTH - 3}}{form.name}") for form in FORMS]
            lines.append((False, ""))
        if context == actions.MAIN:
            lines.append((True, "legend"))
            lines += [(False, f"  {sign}{' ' * max(1, KEYS_WIDTH - cell_len(sign))}{words}") for sign, words in LEGEND.items()]
            lines.append((False, ""))
            lines.append((True, "command line, after :"))
            lines += [(False, f"  {command}{' ' * max(1, KEYS_WIDTH - cell_len(command))}{words}") for command, words in {**WORDS, **COMMANDS}.items()]
            lines += [(False, ""), (True, "values in filters")]
            from captures.messages.columns import BY_NAME  # what opens the screen does without it
            specs = [BY_NAME[name].spec for name in ("pv.kind", "pv.status")]
            lines += [(False, f"  {spec.name}{' ' * max(1, KEYS_WIDTH - cell_len(spec.name))}{spec.about}") for spec in specs]
            lines.append((False, ""))
    return lines


def _entry(action: Action) -> str:
    keys = "  ".join(shown(key) for key in action.keys)
    return f"  {keys}{' ' * max(1, KEYS_WIDTH - cell_len(keys))}{action.help}"
