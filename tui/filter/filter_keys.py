"""What keys and commands do to the filter: edit it, make it of the selected field or stream, save it and take it back."""
from __future__ import annotations

import re
from collections.abc import Callable

from protocols.engine.fields import printable
from tui.filter.filter_editor import FilterEditor
from tui.panes.copying import filter_expression
from tui.panes.panes import Panes
from tui.parts.keys import Press

JOIN = {"=": "only", "!": "without", "&": "and", "|": "or", "x": "and not"}
COMMANDS = {
    "clear": "show all packets", "save-filter NAME": "keep the filter in force", "filter NAME": "apply a saved filter, or a filter",
    "filter": "list the saved filters", "macro NAME TEXT": "define ${NAME:argument;argument}, TEXT with $1 $2", "macro": "list the macros",
    "set rows message": "filters hold for one message", "set rows packet": "filters hold for a packet, as in Wireshark",
}
"""What may be typed after `:` about filters, and what it does."""
ROWS = {"message": True, "packet": False, "frame": False}
NAME = re.compile(r"[\w.-]{1,60}")
SINGLE = re.compile(r"[\w.]+(?: == (?:[\w.:-]+|\"(?:[^\"\\]|\\.)*\"))?")


def joined(old: str, letter: str, new: str) -> str:
    """`new` put to the filter `old` as a letter of `JOIN` says."""
    alone = new if SINGLE.fullmatch(new) else f"({new})"
    if letter == "=" or (not old and letter in "&|"):
        return new
    if letter == "!" or not old:
        return f"!({new})"
    before = old if SINGLE.fullmatch(old) else f"({old})"
    return f"{before} {'||' if letter == '|' else '&&'} {f'!({new})' if letter == 'x' else alone}"


class FilterKeys:
    """`say` shows a message."""

    def __init__(self, editor: FilterEditor, panes: Panes, say: Callable[[str, str], None]) -> None:
        self.editor, self.panes, self.say = editor, panes, say

    def do_filter(self, _press: Press) -> None:
        self.editor.open()

    def do_clear(self, _press: Press) -> None:
        self.editor.filtering.apply(None)

    def do_apply(self, press: Press) -> None:
        text = self._with_field(press.letter)
        if text is not None:
            self.use(text)

    def do_prepare(self, press: Press) -> None:
        text = self._with_field(press.letter)
        if text is not None:
            self.editor.open(text)

    def do_stream_only(self, _press: Press) -> None:
        index, capture = self.panes.index, self.editor.filtering.capture
        stream = capture.stream_of(index) if 0 <= index < len(capture) else None
        if stream is None:
            self.say("this packet belongs to no stream", "warning")
        else:
            self.use(f"{stream.transport}.stream == {stream.number}")

    def _with_field(self, letter: str) -> str | None:
        """The filter with the selected field put to it."""
        field = self.panes.fields.selected
        if letter not in JOIN:
            self.say(f"a{letter} does nothing; " + ", ".join(f"{key} {words}" for key, words in JOIN.items()), "warning")
            return None
        if field is None:
            self.say("no field is selected", "warning")
            return None
        return joined(self.editor.filtering.text, letter, filter_expression(field))

    def use(self, text: str) -> None:
        """Apply a filter given as text; one that is wrong is opened to be mended."""
        found = self.editor.compiled(text)
        if isinstance(found, Exception):
            self.say(f"✗ {found}", "error")
            self.editor.open(text)
        else:
            self.editor.use(found)

    def command(self, text: str) -> bool:
        """Carry out one of COMMANDS; whether the text is one of these."""
        word, _, rest = text.partition(" ")
        rest = rest.strip()
        if text == "clear":
            self.editor.filtering.apply(None)
        elif word == "save-filter":
            self._save(rest)
        elif word == "filter" and rest:
            saved = self.editor.store.saved
            self.use(saved.get(rest, rest))
        elif word == "filter":
            names = ", ".join(f"{name}: {filter_}" for name, filter_ in sorted(self.editor.store.saved.items()))
            self.say(f"saved: {printable(names)}" if names else "no filter is saved; :save-filter NAME keeps the one in force", "")
        elif word == "macro":
            name, _, body = rest.partition(" ")
            self._macro(name, body)
        elif word == "set" and rest.partition(" ")[0] == "rows":
            self._rows(rest.partition(" ")[2].strip())
        else:
            return False
        return True

    def _rows(self, what: str) -> None:
        if what not in ROWS:
            self.say("filters hold per message or per packet: set rows message, set rows packet", "warning")
            return
        self.editor.ask_of(ROWS[what])
        words = "a filter now holds for one message" if ROWS[what] else "a filter now holds for a packet, as in Wireshark; with pv.* fields for one message"
        self.say(words, "")

    def _macro(self, name: str, text: str) -> None:
        """Define a macro; without a text show those there are."""
        file, text = self.editor.store.macro_file, text.strip()
        if not text:
            known = ", ".join(f"${{{one}}}: {words}" for one, words in sorted(file.macros.items()) if not name or one == name)
            where = "; ".join([f"none: :macro NAME TEXT defines one, TEXT with $1 $2 for arguments, or a line of {file.path}"] * (not known) + file.problems)
            self.say(printable("; ".join(part for part in (known, where) if part)), "warning" if file.problems else "")
        elif not NAME.fullmatch(name):
            self.say("a name of letters, digits, . - _ is wanted: macro NAME TEXT", "warning")
        elif name in self.editor.filtering.names:
            self.say(f"{name} is a field: ${{{name}}} is its value in the selected packet", "warning")
        else:
            fault = file.define(name, text)
            self.say(f"not kept: {printable(fault)}" if fault else f"${{{name}}} stands for {printable(text)}", "error" if fault else "")

    def _save(self, name: str) -> None:
        text = self.editor.filtering.text
        if not NAME.fullmatch(name):
            self.say("a name of letters, digits, . - _ is wanted: save-filter NAME", "warning")
        elif not text:
            self.say("there is no filter to save", "warning")
        else:
            fault = self.editor.store.save(name, text)
            self.say(f"kept as {name}: {text}" if not fault else f"not saved: {printable(fault)}", "" if not fault else "error")
