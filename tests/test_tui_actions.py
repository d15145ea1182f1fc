"""The action registry and the reading of keys."""
from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.app.help_screen import HelpPane, HelpScreen, help_lines
from tui.filter.filter_keys import FilterKeys
from tui.find.find_controller import Finding
from tui.follow.follow_screen import FollowPane, FollowScreen
from tui.main.decode_screen import DecodeScreen
from tui.main.main_screen import MainScreen
from tui.main.navigation import Going
from tui.main.sorting import Sorting
from tui.panes.field_tree import FieldTree
from tui.panes.hex_view import HexView
from tui.panes.packet_list import PacketList
from tui.panes.panes import Panes
from tui.parts import actions
from tui.parts.keys import KeyReader, Press, shown, token
from tui.parts.pane import Rows

PANES = (actions.PACKETS, actions.TREE, actions.BYTES)


def keys_of(contexts: tuple[str, ...]) -> list[str]:
    return [key for action in actions.in_contexts(contexts) for key in action.keys]


@pytest.mark.parametrize("contexts", [
    *((pane, actions.MAIN, actions.EVERYWHERE) for pane in PANES), (actions.FOLLOW, actions.EVERYWHERE), (actions.HELP, actions.EVERYWHERE),
    (actions.DECODE, actions.EVERYWHERE)])
def test_no_key_is_bound_twice_where_it_can_be_pressed(contexts: tuple[str, ...]) -> None:
    assert [key for key, times in Counter(keys_of(contexts)).items() if times > 1] == []


@pytest.mark.parametrize("pane", PANES)
def test_no_key_hides_a_longer_sequence(pane: str) -> None:
    keys = keys_of((pane, actions.MAIN, actions.EVERYWHERE))
    assert [(short, long) for short in keys for long in keys if long.startswith(short + " ")] == []


def test_no_key_belongs_to_tmux_screen_or_the_terminal() -> None:
    strokes = {stroke for action in actions.ACTIONS for key in action.keys for stroke in key.split()}
    assert not strokes & actions.FORBIDDEN
    assert not [stroke for stroke in strokes if "alt+" in stroke or "meta+" in stroke or stroke in ("f10", "f11", "f12")]


def test_f1_is_never_the_only_key() -> None:
    assert all(len(action.keys) > 1 for action in actions.ACTIONS if "f1" in action.keys)


def test_every_action_has_help_a_key_and_an_id_of_its_own() -> None:
    assert all(action.help and action.keys and action.group and action.context in actions.TITLES for action in actions.ACTIONS)
    assert len({action.id for action in actions.ACTIONS}) == len(actions.ACTIONS)


@pytest.mark.parametrize("action", actions.ACTIONS, ids=lambda action: action.id)
def test_every_action_is_carried_out_by_something_in_its_context(action: actions.Action) -> None:
    from tui.app.app import ProtoviewApp
    own = {
        actions.PACKETS: (PacketList, Panes, MainScreen, Sorting), actions.TREE: (FieldTree, Panes, MainScreen), actions.BYTES: (HexView, Panes, MainScreen),
        actions.MAIN: (Panes, MainScreen, Going, FilterKeys, Finding), actions.FOLLOW: (FollowPane, FollowScreen), actions.HELP: (HelpPane, HelpScreen),
        actions.DECODE: (Rows, DecodeScreen), actions.EVERYWHERE: (ProtoviewApp,),
    }[action.context]
    assert any(callable(getattr(kind, action.method, None)) for kind in own)


def test_the_help_names_every_action_of_its_contexts() -> None:
    text = "\n".join(line for _, line in help_lines(actions.TITLES, 76))
    missing = [action.id for action in actions.ACTIONS if action.help not in text or shown(action.keys[0]) not in text]
    assert missing == []


TABLES = [{"j": "down", "G": "end", "g g": "top", "z o": "open", "m *": "mark", "0": "start", "ctrl+w w": "next"}]


def typed(keys: str, tables: list[dict[str, str]] = TABLES) -> list[tuple[str, Press] | None]:
    reader = KeyReader()
    return [reader.feed(key, tables) for key in keys.split()]


@pytest.mark.parametrize(("keys", "expected"), [
    ("j", ("down", Press())), ("1 2 j", ("down", Press(12))), ("4 5 G", ("end", Press(45))), ("g g", ("top", Press())), ("3 g g", ("top", Press(3))),
    ("m a", ("mark", Press(None, "a"))), ("m .", ("mark", Press(None, "."))), ("0", ("start", Press())), ("ctrl+w w", ("next", Press())),
    ("5 escape j", ("down", Press())), ("g escape g g", ("top", Press())), ("z x j", ("down", Press())), ("9 x j", ("down", Press())),
])
def test_a_sequence_gives_its_action_once_it_is_complete(keys: str, expected: tuple[str, Press]) -> None:
    *before, last = typed(keys)
    assert last == expected
    assert set(before) <= {None}


def test_a_zero_after_a_digit_is_part_of_the_count() -> None:
    tables = [{"j": "down"}]
    assert typed("1 0 j", tables)[-1] == ("down", Press(10))


@given(st.lists(st.sampled_from(["j", "G", "g", "z", "o", "m", "a", "0", "7", "escape", "ctrl+w", "w", "x", "up"])))
def test_no_row_of_keys_leaves_the_reader_stuck(keys: list[str]) -> None:
    reader = KeyReader()
    for key in keys:
        reader.feed(key, TABLES)
    reader.feed("escape", TABLES)
    assert reader.pending == ""
    assert reader.feed("j", TABLES) == ("down", Press())


def test_keys_are_written_as_their_characters() -> None:
    assert token("left_square_bracket", "[") == "["
    assert token("G", "G") == "G"
    assert token("space", " ") == "space"
    assert token("ctrl+d", "\x04") == "ctrl+d"
