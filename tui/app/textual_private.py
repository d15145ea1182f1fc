"""Every use of Textual's internals, each with its reason; nothing else in this project may touch an underscored name of Textual."""
from __future__ import annotations

from collections.abc import Iterable

from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.widget import Widget


def set_virtual_size(view: ScrollView, size: Size) -> None:
    """Tell a view how much it can scroll over, without laying out the screen (setting `virtual_size` does, for every change)."""
    if size != view.virtual_size:
        view.set_reactive(Widget.virtual_size, size)
        view._scroll_update(size)


def draw_together(widgets: Iterable[Widget]) -> None:
    """Hand in what these widgets have to repaint at once. Each would do so when it is idle next, so that one move took two or three frames."""
    for widget in widgets:
        widget._check_refresh()
