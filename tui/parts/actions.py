"""The one registry of what a user can do: keys, footer, help and command palette are all made from `ACTIONS`.

An action's id is `context.name`; the method `do_name(press)` of the focused pane, else of the screen, else of the application
carries it out. No key needs Alt, and none is one that tmux, screen or flow control take.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

EVERYWHERE, MAIN, PACKETS, TREE, BYTES, FOLLOW, HELP, DECODE = "everywhere", "main", "packets", "tree", "bytes", "follow", "help", "decode"
TITLES = {EVERYWHERE: "Everywhere", MAIN: "Main screen", PACKETS: "Packets", TREE: "Dissection", BYTES: "Bytes", FOLLOW: "Follow stream", HELP: "Help",
          DECODE: "Decode as"}
FORBIDDEN = frozenset(("ctrl+b", "ctrl+a", "ctrl+s", "ctrl+q", "ctrl+\\", "ctrl+backslash", "ctrl+i", "ctrl+m", "ctrl+j", "ctrl+h", "ctrl+["))


@dataclass(frozen=True, slots=True)
class Action:
    """`keys` are the sequences that call it; `help` says what it does; `hint` is its word in the footer, "" for none; `group` its heading in the help."""

    id: str
    keys: tuple[str, ...]
    help: str
    group: str
    hint: str = ""

    @property
    def context(self) -> str:
        return self.id.partition(".")[0]

    @property
    def method(self) -> str:
        return "do_" + self.id.partition(".")[2].replace("-", "_")


def _actions(context: str, group: str, *rows: tuple[str, str, str] | tuple[str, str, str, str]) -> Iterable[Action]:
    """Rows of (name, keys parted by two spaces, help[, hint])."""
    for name, keys, text, *hint in rows:
        yield Action(f"{context}.{name}", tuple(key for key in keys.split("  ") if key), text, group, hint[0] if hint else "")


def _moves(context: str, one: str, first: str = "first", last: str = "last") -> Iterable[Action]:
    return _actions(
        context, "Move",
        ("down", "j  down", f"next {one}"),
        ("up", "k  up", f"previous {one}"),
        ("page-down", "pagedown", "a page down"),
        ("page-up", "pageup", "a page up"),
        ("half-down", "ctrl+d", "half a page down"),
        ("half-up", "ctrl+u", "half a page up"),
        ("top", "g g  home", f"{first} {one}"),
        ("bottom", "G  end", f"{last} {one}; with a count, that one"),
    )


ACTIONS: tuple[Action, ...] = (
    *_moves(PACKETS, "packet"),
    *_actions(
        PACKETS, "Move",
        ("right", "l  right", "scroll the Info column right"),
        ("left", "h  left", "scroll the Info column left"),
        ("open", "enter  space", "to the packet's dissection"),
    ),
    *_actions(
        PACKETS, "Sort",
        ("sort", "o *", "sort: on No., ot Time, or RRT, os Source, od Dest., op Prot., ol, oi", "sort"),
        ("sort-reverse", "O", "the other way round"),
    ),
    *_moves(TREE, "field"),
    *_actions(
        TREE, "Move",
        ("right", "l  right", "open; if open, to the first child"),
        ("left", "h  left", "close; if closed, to the parent"),
        ("sibling-next", "J", "next field of the same parent"),
        ("sibling-previous", "K", "previous field of the same parent"),
    ),
    *_actions(
        TREE, "Fold",
        ("toggle", "enter  space  z a", "open or close; on a packet number: go there", "open"),
        ("open", "z o", "open"),
        ("close", "z c", "close"),
        ("open-all", "z O", "open with all below"),
        ("close-all", "z C", "close with all below"),
        ("unfold", "z R", "open everything"),
        ("fold", "z M", "close everything", "fold"),
    ),
    *_actions(
        TREE, "View",
        ("wrap", "w", "break long lines, and cut them again", "wrap"),
        ("scroll-right", "z l  shift+right", "scroll sideways: right"),
        ("scroll-left", "z h  shift+left", "scroll sideways: left"),
    ),
    *_actions(
        BYTES, "Move",
        ("left", "h  left", "previous byte"),
        ("right", "l  right", "next byte"),
        ("down", "j  down", "a row down"),
        ("up", "k  up", "a row up"),
        ("page-down", "pagedown", "a page down"),
        ("page-up", "pageup", "a page up"),
        ("half-down", "ctrl+d", "half a page down"),
        ("half-up", "ctrl+u", "half a page up"),
        ("top", "g g", "first byte"),
        ("bottom", "G", "last byte; with a count, that offset"),
        ("row-start", "0  home", "start of the row"),
        ("row-end", "$  end", "end of the row"),
        ("field-next", ")", "next field", "field"),
        ("field-previous", "(", "previous field"),
        ("tab-next", "}", "next tab: packet, message, decompressed", "tab"),
        ("tab-previous", "{", "previous tab"),
        ("focus-field", "g f  enter", "to the field in the dissection", "tree"),
    ),
    *_actions(
        MAIN, "Analyse",
        ("peer", "r", "from request to response and back", "pair"),
        ("stream-next", "]", "next packet of this stream", "stream"),
        ("stream-previous", "[", "previous packet of this stream"),
        ("error-next", "e", "next error", "error"),
        ("error-previous", "E", "previous error"),
        ("follow", "s", "follow this stream", "follow"),
        ("decode-as", "d", "decode this stream as another protocol", "decode"),
    ),
    *_actions(
        MAIN, "Filter and find",
        ("filter", "/", "edit the display filter", "filter"),
        ("apply", "a *", "show packets with the selected field: a= only, a! without, a& and, a| or, ax and not"),
        ("prepare", "A *", "the same, but only write it into the filter line"),
        ("stream-only", "F", "show this stream only"),
        ("clear", "a c", "show all packets"),
        ("find", "ctrl+f", "find text, /regex/, \"Exact text\" or 0xHEX in list, fields and bytes", "find"),
        ("hit-next", "n", "next hit"),
        ("hit-previous", "N", "previous hit"),
    ),
    *_actions(
        MAIN, "Copy",
        ("copy", "y *", "copy the field or packet; y alone shows the forms", "copy"),
    ),
    *_actions(
        MAIN, "Marks",
        ("mark", "m *", "mark this packet; m. plain mark on and off"),
        ("go-mark", "' *", "go to a mark; '' back to where the last jump began"),
    ),
    *_actions(
        MAIN, "View",
        ("time-format", "t", "next time format: relative, delta, local, UTC, epoch", "time"),
        ("time-reference", "T", "count times from this packet; again: from the first"),
        ("layout", "|", "next layout", "layout"),
        ("zoom", "\\", "this pane alone, and back", "zoom"),
        ("taller", "+", "this pane taller"),
        ("shorter", "-", "this pane shorter"),
        ("wider", ">", "this pane wider"),
        ("narrower", "<", "this pane narrower"),
        ("reset-sizes", "=", "sizes as at the start"),
        ("next-pane", "tab  ctrl+w w", "next pane", "pane"),
        ("previous-pane", "shift+tab", "previous pane"),
    ),
    *_actions(
        MAIN, "Program",
        ("command", ":", "command line: packet number, w FILE, clear, filter NAME, q, or an action's name; Tab completes", "command"),
        ("place", "ctrl+g", "say where this is: file, packet, stream"),
    ),
    *_moves(FOLLOW, "line"),
    *_actions(
        FOLLOW, "View",
        ("view", "v", "next view: decoded, text, hex", "view"),
        ("both", "b", "both directions", "both"),
        ("client", "c", "what the client sent", "client"),
        ("server", "S", "what the server sent", "server"),
    ),
    *_actions(
        FOLLOW, "Analyse",
        ("open", "enter", "go to the packet", "packet"),
        ("stream-next", "]", "next stream", "stream"),
        ("stream-previous", "[", "previous stream"),
        ("find", "/", "find text", "find"),
        ("hit-next", "n", "next hit"),
        ("hit-previous", "N", "previous hit"),
        ("copy", "y", "copy this message", "copy"),
    ),
    *_actions(HELP, "Move", ("down", "j  down", "down"), ("up", "k  up", "up"),
              ("page-down", "pagedown  space", "a page down"), ("page-up", "pageup", "a page up"),
              ("top", "g g  home", "to the start"), ("bottom", "G  end", "to the end")),
    *_actions(DECODE, "Move", ("down", "j  down", "next protocol"), ("up", "k  up", "previous protocol"),
              ("page-down", "pagedown", "a page down"), ("page-up", "pageup", "a page up"), ("top", "g g  home", "first"), ("bottom", "G  end", "last")),
    *_actions(DECODE, "Analyse", ("choose", "enter  space", "read the stream's server port as this protocol", "choose")),
    *_actions(
        EVERYWHERE, "Program",
        ("help", "?  f1", "keys of this pane; again: every key", "help"),
        ("palette", "ctrl+p", "command palette"),
        ("quit", "q", "close this screen; on the main screen, quit", "quit"),
        ("cancel", "escape", "close an overlay; stop a search, the filter or the indexing"),
        ("interrupt", "ctrl+c", "stop what runs"),
        ("suspend", "ctrl+z", "suspend to the shell"),
        ("redraw", "ctrl+l", "draw the screen anew"),
    ),
)


@cache
def table(context: str) -> Mapping[str, Action]:
    """The sequences of one context."""
    return {key: action for action in ACTIONS if action.context == context for key in action.keys}


def in_contexts(contexts: Iterable[str]) -> list[Action]:
    """The actions of several contexts, in that order."""
    return [action for context in contexts for action in ACTIONS if action.context == context]


def words(contexts: Iterable[str]) -> list[str]:
    """What the actions of several contexts that need no letter are called: by name, and by their word in the key line."""
    plain = [action for action in in_contexts(contexts) if not any(key.endswith("*") for key in action.keys)]
    return [word for action in plain for word in (action.id.partition(".")[2], action.hint) if word]


def named(name: str, contexts: Iterable[str] = TITLES) -> Action | None:
    """An action by its id, by the name after the dot, or by its word in the key line (the first such one of the contexts)."""
    there = in_contexts(contexts)
    ways: tuple[Callable[[Action], str], ...] = (lambda action: action.id, lambda action: action.id.partition(".")[2], lambda action: action.hint)
    return next((action for way in ways for action in there if name and way(action) == name), None)
