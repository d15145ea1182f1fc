"""The dissection tree: a flat list of the lines in sight, made from fields that are asked for when they are opened.

A line is known by the path of field names from the top (with `#n` for the n-th sibling of the same name), not by its place: so
what is open stays open from packet to packet, and the cursor stays on the same field where the next packet has it. Lists of more
than a thousand children are parted into pages that open on demand.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.cells import cell_len, chop_cells
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from protocols.engine.fields import Field, printable
from protocols.lower import link
from tui.panes.tree_nodes import Node, Path, below, nodes
from tui.parts.formats import fit
from tui.parts.keys import Press
from tui.parts.pane import Rows

MOST_LINES = 50_000
"""More lines than this "open everything" does not make."""
FEW = 10
"""A tree with fewer lines than this, frame and all, starts at the message."""
INDENT = 3
"""Cells before a line's text: the cursor's sign, the mark and a blank."""
SIDEWAYS = 16
FAULTS = ("_ws.malformed", "pv.incomplete")
LOWER = frozenset(spec.name for module in link.MODULES for spec in module.SPECS if spec.type == "protocol")
"""Layers that start closed."""


class FieldTree(Rows):
    """The tree of one packet."""

    context = "tree"
    COMPONENT_CLASSES = {"tree--layer", "tree--generated", "tree--fault", "tree--link"}
    DEFAULT_CSS = """
    FieldTree {
        & > .tree--layer { text-style: bold; }
        & > .tree--generated { color: $pv-quiet; }
        & > .tree--fault { color: $pv-error; background: $pv-error-ground; }
        & > .tree--link { text-style: underline; }
    }
    """

    class Jump(Message):
        """The user follows a packet number (from 1)."""

        def __init__(self, number: int) -> None:
            self.number = number
            super().__init__()

    def __init__(self, chosen: Callable[[], None]) -> None:
        """`chosen` is called when the cursor stands on another field."""
        super().__init__(id="tree")
        self._chosen = chosen
        self._layers: Sequence[Field] = ()
        self._lines: list[Node] = []
        self._opened: dict[Path, bool] = {}
        self._wanted: Path = ()
        self._note = ""
        self.wrapped = False
        self.sideways = 0

    # contents

    @property
    def count(self) -> int:
        return len(self._lines) or bool(self._note)

    @property
    def node(self) -> Node | None:
        return self._lines[self.cursor] if self.cursor < len(self._lines) else None

    @property
    def selected(self) -> Field | None:
        """The field under the cursor."""
        node = self.node
        return node.field if node is not None else None

    @property
    def layer(self) -> str:
        """The name of the layer that the cursor is in, "" without one."""
        node = self.node
        return node.path[0].partition("#")[0] if node is not None else ""

    @property
    def top(self) -> Field | None:
        """The layer that the cursor is in."""
        row = min(self.cursor, len(self._lines) - 1)
        return next((node.field for node in self._lines[row::-1] if not node.depth), None) if row >= 0 else None

    def show(self, layers: Sequence[Field]) -> None:
        """Show a packet; the cursor goes to the field that the user chose last, or as near to it as this packet has one."""
        self._note = ""
        self._layers = layers
        self._flatten()
        self.cursor = self._place(self._wanted)
        self._show_cursor()
        self.paint()

    def _show_cursor(self) -> None:
        """Scroll to the cursor; where only a few lines are in sight, with the layer that it is in on top, not the layers below it."""
        self._measure_area()
        row, few = self.cursor, self.outer_size.height < FEW
        while few and row < len(self._lines) and row and self._lines[row].depth:
            row -= 1
        if few and self.cursor - row < self.page:
            self.scroll_to(y=row, animate=False)
        else:
            self.show_row(self.cursor)

    def on_resize(self) -> None:
        super().on_resize()
        if self.wrapped:
            self._refold()
        self.call_after_refresh(self._show_cursor)      # the scroll bar of a pane that scrolls while it is laid out is drawn for the old size

    def show_note(self, text: str) -> None:
        """Show a line of words and no packet."""
        self._note, self._layers, self._lines, self.cursor = printable(text), (), [], 0
        self.resize_lines()
        self.paint()

    def select(self, path: Path) -> None:
        """Put the cursor on a field, opening what is above it."""
        for depth in range(1, len(path)):
            self._opened[path[:depth]] = True
        self._flatten()
        self._wanted = path
        self.go(self._place(path))

    def is_open(self, node: Node) -> bool:
        known = self._opened.get(node.path)
        if known is not None:
            return known
        return node.depth == 0 and node.field.name.partition(".")[0] not in LOWER

    def _place(self, path: Path) -> int:
        """The line of a path; else of the longest part of it that is there; else of the last layer."""
        rows = {node.path: row for row, node in enumerate(self._lines) if not node.more}
        while path:
            if path in rows:
                return rows[path]
            path = path[:-1]
        layers = [row for row, node in enumerate(self._lines) if node.depth == 0 and node.field.length]
        return layers[-1] if layers else 0

    def _flatten(self) -> None:
        lines: list[Node] = []
        stack = list(nodes(self._layers, ()))[::-1]
        while stack and len(lines) < MOST_LINES:
            node = stack.pop()
            lines.extend(self._wrap(node) if self.wrapped else (node,))
            if node.opens and self.is_open(node):
                stack.extend(list(below(node))[::-1])
        self._lines = lines
        self.resize_lines()

    def _wrap(self, node: Node) -> Iterator[Node]:
        """The lines of a field whose text is longer than the pane is wide."""
        yield node
        room = self._room(node)
        if node.page is None and cell_len(node.text) > room:
            for part in chop_cells(node.text, room)[1:]:
                yield Node(node.field, node.path, more=part)

    def _room(self, node: Node) -> int:
        """Cells for a line's text."""
        return max(8, self.area.width - 2 * node.depth - INDENT)

    # drawing

    def line(self, row: int) -> Strip:
        if self._note:
            return self.plain(f" {self._note}", self.style_of("tree--generated"))
        node = self._lines[row]
        here = row == self.cursor
        mark = " " if not node.opens or node.more else "▾" if self.is_open(node) else "▸"
        words = node.text
        if self.wrapped:
            words = chop_cells(words, self._room(node))[0] if words and not node.more else words
        lead = f"{'▶' if here else ' '}{'  ' * node.depth}{mark} "
        text = fit(lead + words, self.area.width) if not self.sideways else lead[:1] + fit((lead[1:] + words)[self.sideways:], self.area.width - 1)
        return self.plain(text, self.cursor_style(node.field.name in FAULTS) if here else self._style(node))

    def _style(self, node: Node) -> Style:
        field = node.field
        if field.name in FAULTS:
            return self.style_of("tree--fault")
        if field.spec.type == "frame" and not node.opens:
            return self.style_of("tree--link")
        if node.depth == 0 and field.length:
            return self.style_of("tree--layer")
        return self.plain_style if field.length or node.page is not None else self.style_of("tree--generated")

    # moving and folding

    def cursor_changed(self) -> None:
        node = self.node
        if node is not None:
            self._wanted = node.path
            self._chosen()

    def _fold(self, node: Node, opened: bool) -> None:
        if node.opens and self.is_open(node) != opened:
            self._opened[node.path] = opened
            self._refold()

    def _refold(self) -> None:
        """Make the lines anew with the cursor where it was, or on what was closed over it."""
        node = self.node
        self._flatten()
        if node is not None:
            self.go(self._place(node.path))
        self.paint()

    def on_click(self, event: events.Click) -> None:
        row = self.row_at(event.y - self.gutter.top)
        if row is None or row >= len(self._lines):
            return
        node = self._lines[row]
        self.go(row)
        at = event.x - self.gutter.left - 1 - 2 * node.depth
        if 0 <= at <= 1 or event.chain == 2:
            self._toggle(node)

    def _toggle(self, node: Node) -> None:
        if node.opens:
            self._fold(node, not self.is_open(node))
        elif node.field.spec.type == "frame" and isinstance(node.field.value, int):
            self.post_message(self.Jump(node.field.value))

    def do_toggle(self, _press: Press) -> None:
        if self.node is not None:
            self._toggle(self.node)

    def do_open(self, _press: Press) -> None:
        if self.node is not None:
            self._fold(self.node, True)

    def do_close(self, _press: Press) -> None:
        node = self.node
        if node is None:
            return
        if node.opens and self.is_open(node):
            self._fold(node, False)
        elif node.depth:
            self._to_parent(node)
            if self.node is not None:
                self._fold(self.node, False)

    def do_right(self, _press: Press) -> None:
        node = self.node
        if node is not None and node.opens:
            if self.is_open(node):
                self.go(self.cursor + 1)
            else:
                self._fold(node, True)

    def do_left(self, _press: Press) -> None:
        node = self.node
        if node is None:
            return
        if node.opens and self.is_open(node):
            self._fold(node, False)
        else:
            self._to_parent(node)

    def _to_parent(self, node: Node) -> None:
        if node.depth:
            self.go(self._place(node.path[:-1]))

    def do_wrap(self, _press: Press) -> None:
        """Break long lines, or cut them again."""
        self.wrapped, self.sideways = not self.wrapped, 0
        self._refold()

    def do_scroll_right(self, press: Press) -> None:
        longest = max((cell_len(node.text) + 2 * node.depth + INDENT for node in self._in_sight()), default=0)
        self.sideways = max(0, min(self.sideways + press.times * SIDEWAYS, longest - SIDEWAYS)) if not self.wrapped else 0
        self.paint()

    def do_scroll_left(self, press: Press) -> None:
        self.sideways = max(0, self.sideways - press.times * SIDEWAYS)
        self.paint()

    def _in_sight(self) -> Sequence[Node]:
        return self._lines[self.scroll_offset.y:self.scroll_offset.y + self.page]

    def do_sibling_next(self, press: Press) -> None:
        self._to_sibling(1, press.times)

    def do_sibling_previous(self, press: Press) -> None:
        self._to_sibling(-1, press.times)

    def _to_sibling(self, step: int, times: int) -> None:
        node, row, found = self.node, self.cursor, self.cursor
        while node is not None and times > 0 and 0 <= (row := row + step) < len(self._lines):
            other = self._lines[row]
            if other.depth < node.depth:
                break
            if other.depth == node.depth and not other.more and other.path != node.path:
                found, times = row, times - 1
        self.go(found)

    def do_open_all(self, _press: Press) -> None:
        if self.node is not None:
            self._set_all([self.node], True)

    def do_close_all(self, _press: Press) -> None:
        if self.node is not None:
            self._set_all([self.node], False)

    def do_unfold(self, _press: Press) -> None:
        self._set_all(list(nodes(self._layers, ())), True)

    def do_fold(self, _press: Press) -> None:
        self._opened = {node.path: False for node in nodes(self._layers, ())}
        self._refold()

    def _set_all(self, stack: list[Node], opened: bool) -> None:
        done = 0
        while stack and done < MOST_LINES:
            node = stack.pop()
            if node.opens and (opened or self._opened.get(node.path)):
                self._opened[node.path] = opened
                children = list(below(node))
                done += len(children)
                stack.extend(children)
            elif node.opens:
                self._opened[node.path] = False
        self._refold()
