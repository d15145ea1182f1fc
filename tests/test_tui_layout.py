"""Layout, columns and the way numbers are written."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from protocols.engine.fields import printable
from tui.parts.columns import choose_columns
from tui.parts.formats import TIME_FORMATS, duration, fit, fit_middle, size
from tui.parts.layout import Choice, Shape, SizeClass, arrange, size_class


@pytest.mark.parametrize(("width", "height", "kind"), [
    (180, 50, SizeClass.WIDE), (160, 40, SizeClass.WIDE), (160, 39, SizeClass.STACKED), (159, 50, SizeClass.STACKED), (120, 40, SizeClass.STACKED),
    (100, 30, SizeClass.STACKED), (80, 24, SizeClass.COMPACT), (99, 40, SizeClass.COMPACT), (79, 24, SizeClass.TWO), (120, 15, SizeClass.TWO),
    (59, 24, SizeClass.ONE), (120, 14, SizeClass.ONE), (40, 10, SizeClass.ONE), (39, 24, SizeClass.TOO_SMALL), (80, 9, SizeClass.TOO_SMALL)])
def test_terminals_are_classed_by_what_fits(width: int, height: int, kind: SizeClass) -> None:
    assert size_class(width, height) is kind


CHOICES = st.builds(Choice, shapes=st.dictionaries(st.sampled_from(list(SizeClass)), st.sampled_from(list(Shape))), zoomed=st.booleans(),
                    list_share=st.floats(0.15, 0.85), detail_share=st.floats(0.15, 0.85))


@given(st.integers(1, 300), st.integers(1, 120), CHOICES, st.sampled_from(["packets", "tree", "bytes"]), st.sampled_from(["tree", "bytes"]))
def test_panes_fill_their_area_and_never_overlap(width: int, height: int, choice: Choice, focus: str, detail: str) -> None:
    kind = size_class(width, height + 3)
    boxes = arrange(width, height, kind, choice, focus, detail)
    if kind is SizeClass.TOO_SMALL:
        assert boxes == {}
        return
    taken = [(x, y) for box in boxes.values() for x in range(box.x, box.x + box.width) for y in range(box.y, box.y + box.height)]
    assert len(taken) == len(set(taken)) == width * height


def test_the_layouts_come_round() -> None:
    choice, seen = Choice(), []
    for _ in range(len(Shape)):
        seen.append(choice.shape(SizeClass.WIDE))
        choice = choice.next_shape(SizeClass.WIDE)
    assert set(seen) == set(Shape)
    assert choice.shape(SizeClass.WIDE) is seen[0] is Shape.SIDE
    assert choice.shape(SizeClass.STACKED) is Shape.STACKED


@pytest.mark.parametrize(("room", "names"), [
    (177, ["No.", "Time", "RRT", "Source", "Destination", "Protocol", "Length"]), (117, ["No.", "Time", "RRT", "Source", "Destination", "Protocol"]),
    (97, ["No.", "Time", "RRT", "Source", "Destination", "Protocol"]), (79, ["No.", "Time", "RRT", "Source", "Destination"]),
    (59, ["No.", "Time", "RRT"]), (45, ["No."]), (39, ["No."])])
def test_columns_are_dropped_by_priority(room: int, names: list[str]) -> None:
    columns = choose_columns(room, 5, 9, 21, 9)
    assert [name for name, _ in columns.widths] == names


@given(st.integers(36, 300), st.integers(5, 8), st.sampled_from([9, 17, 26]), st.integers(9, 45), st.integers(3, 14))
def test_info_always_has_room_and_from_79_cells_on_addresses_too(room: int, number: int, time: int, address: int, protocol: int) -> None:
    columns = choose_columns(room, number, time, address, protocol)
    assert room - 2 - columns.fixed >= (17 if room >= 59 else 12)
    if room >= 79 and time == 9 and number == 5:
        assert {"Source", "Destination"} <= {name for name, _ in columns.widths}


@given(st.text(max_size=60).map(printable), st.integers(0, 40))
def test_fitted_text_has_exactly_its_width(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width
    assert cell_len(fit_middle(text, width)) == width


def test_a_long_address_keeps_both_ends() -> None:
    short = fit_middle("[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:9092", 21)
    assert short.startswith("[2001:d") and short.endswith("ffff]:9092") and "…" in short


@pytest.mark.parametrize(("nanoseconds", "text"), [
    (0, "0ns"), (812, "812ns"), (4_300, "4.3µs"), (812_400, "812µs"), (999_499, "999µs"), (4_300_000, "4.3ms"), (304_095_000, "304.1ms"),
    (1_500_000_000, "1.5s"), (245_000_000_000, "4m05s"), (7_500_000_000_000, "2h05m"), (-4_300_000, "-4.3ms")])
def test_durations_are_short_and_true(nanoseconds: int, text: str) -> None:
    assert duration(nanoseconds) == text


@given(st.integers(0, 3_600_000_000_000))
def test_a_duration_fits_its_column(nanoseconds: int) -> None:
    assert len(duration(nanoseconds)) <= 7


def test_sizes_are_shortened() -> None:
    assert [size(n) for n in (0, 999, 1_000, 28_000_000)] == ["0 B", "999 B", "1.0 kB", "28.0 MB"]


def test_times_are_written_in_every_format() -> None:
    now, origin, before = 1_700_000_001_318_268_000, 1_700_000_001_000_000_000, 1_700_000_001_014_173_000
    shown = {kind.name.split()[0]: kind.show(now, origin, before) for kind in TIME_FORMATS}
    assert shown["relative"] == "0.318268"
    assert shown["delta"] == "0.304095"
    assert shown["UTC"] == "2023-11-14 22:13:21.318268"
    assert shown["epoch"] == "1700000001.318268"
    assert TIME_FORMATS[0].show(origin - 1_000, origin, None) == "-0.000001"
