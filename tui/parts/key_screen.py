"""The base of every screen: reads keys by the action registry and carries the actions out."""
from __future__ import annotations

from typing import Any

from textual import events
from textual.screen import Screen
from textual.widgets import Input

from tui.parts import actions
from tui.parts.actions import Action
from tui.parts.keys import ONCE, KeyReader, Press, token
from tui.parts.pane import Pane
from tui.parts.prompt import TextLine


class KeyScreen(Screen[Any], inherit_bindings=False):
    """A screen whose keys come from the registry: those of the focused pane, of `CONTEXTS`, and those that work everywhere."""

    AUTO_FOCUS = ""
    CONTEXTS: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.keys = KeyReader()
        self.parts: tuple[object, ...] = ()
        """What carries out some of the screen's actions, without being a widget."""

    def contexts(self) -> list[str]:
        """The contexts in force, the nearest first."""
        pane = [self.focused.context] if isinstance(self.focused, Pane) and self.focused.context else []
        return [*dict.fromkeys([*pane, *self.CONTEXTS, actions.EVERYWHERE])]

    def on_key(self, event: events.Key) -> None:
        if self.app.screen is not self or (isinstance(self.focused, TextLine) and not self.focused.saw(event)):
            # typed before the other screen or the prompt was there
            event.stop()
            self.app.post_message(events.Key(event.key, event.character).set_sender(self.app))
            return
        if isinstance(self.focused, Input):
            return
        event.stop()
        event.prevent_default()
        self.typing()
        found = self.keys.feed(token(event.key, event.character), [actions.table(context) for context in self.contexts()])
        if found is not None:
            self.perform(*found)
        self.typed()

    def typing(self) -> None:
        """A key arrives."""

    def typed(self) -> None:
        """A key was dealt with; `keys.pending` is what waits for more."""

    def perform(self, action: Action, press: Press = ONCE) -> None:
        """Carry out an action by the nearest object that can: the focused pane, what holds it, the screen, the application."""
        self.about_to(action)
        targets: list[object] = list(self.focused.ancestors_with_self if self.focused is not None else self.ancestors_with_self)
        targets[targets.index(self):targets.index(self)] = self.parts
        for target in targets:
            method = getattr(target, action.method, None)
            if method is not None:
                method(press)
                return

    def about_to(self, action: Action) -> None:
        """An action is going to be carried out."""

    def do_quit(self, _press: Press) -> None:
        self.dismiss()

    def do_cancel(self, _press: Press) -> None:
        self.dismiss()
