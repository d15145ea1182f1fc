"""The lines that text is typed in: readline keys, pasted lines, what was typed before, completion, and saving by `:w`."""
from __future__ import annotations

from pathlib import Path

import pytest
from test_tui_screens import PACKETS, Session, run
from textual import events

from captures.capture import Capture
from tui.parts.prompt import one_line


@pytest.mark.parametrize("emptying", ["ctrl+u", "ctrl+w", "home ctrl+k", "ctrl+a ctrl+k", "backspace backspace backspace backspace backspace"])
@pytest.mark.parametrize("opens", [":", "ctrl+f"])
def test_an_emptied_prompt_stays_a_prompt(opens: str, emptying: str) -> None:
    """The letters typed next, `q` among them, are text and never commands."""
    async def scenario(s: Session) -> None:
        await s.press(f"{opens} 1 2 3 {emptying} q j G")
        assert not s.app._exit and s.list.cursor == 0
        assert s.main.prompt.display and s.main.prompt.value == "qjG"
        await s.press("escape")
        assert not s.main.prompt.display
    run(scenario)


def test_readline_keys_edit_the_text_and_not_the_sign() -> None:
    async def scenario(s: Session) -> None:
        await s.press(": 2 3 home 1 end 9 backspace ctrl+a right delete enter")
        assert s.list.packet + 1 == 13
        await s.press(": a space b ctrl+w 5")
        assert s.main.prompt.value == "a 5"
    run(scenario)


def test_up_brings_back_what_was_answered_and_down_what_was_being_typed() -> None:
    async def scenario(s: Session) -> None:
        await s.press(": 1 3 enter : 2 0 enter : 7 up")
        assert s.main.prompt.value == "20"
        await s.press("up")
        assert s.main.prompt.value == "13"
        await s.press("down down")
        assert s.main.prompt.value == "7"
        await s.press("up up enter")
        assert s.list.packet + 1 == 13
        await s.press("ctrl+f up")
        assert s.main.prompt.value == ""
    run(scenario)


@pytest.mark.parametrize(("pasted", "line"), [
    ("mongo &&\n  tcp.port == 27017\n", "mongo &&   tcp.port == 27017"), ("a\r\nb\rc", "a b c"), ("one", "one"), ("\n", ""), ("a\tb", "a b")])
def test_pasted_lines_become_one(pasted: str, line: str) -> None:
    assert one_line(pasted) == line


@pytest.mark.parametrize("opens", ["/", ":", "ctrl+f"])
def test_every_line_takes_a_whole_paste_at_its_caret(opens: str) -> None:
    async def scenario(s: Session) -> None:
        await s.press(f"{opens} ( ) left")
        s.app.post_message(events.Paste("tcp &&\n  udp"))
        await s.pilot.pause()
        await s.pilot.pause()
        shown = s.main.filter.line.value if opens == "/" else s.main.prompt.value
        assert shown == "(tcp &&   udp)"
    run(scenario)


def test_tab_completes_the_names_of_commands() -> None:
    async def scenario(s: Session) -> None:
        await s.press(": d e c tab")
        assert s.main.prompt.value in ("decode", "decode-as")
        await s.press("ctrl+u c l e a tab")
        assert s.main.prompt.value == "clear"
        await s.press("ctrl+u z o o tab enter")
        assert s.panes.choice.zoomed
    run(scenario)


@pytest.mark.parametrize(("word", "context"), [("time", "delta"), ("layout", "layout: "), ("pair", "")])
def test_the_words_of_the_key_line_are_commands(word: str, context: str) -> None:
    async def scenario(s: Session) -> None:
        await s.press(f": {' '.join(word)} enter")
        assert "no command" not in s.message and context in s.message
    run(scenario)


def test_w_saves_what_is_shown_and_no_file_is_lost(tmp_path: Path) -> None:
    """The saved file is read again: it holds the filter's packets and no others."""
    out = tmp_path / "shown.pcapng"

    async def scenario(s: Session) -> None:
        await s.press("/ t c p . l e n space > space 0 enter")
        await s.until(lambda: s.list.shown is not None and not s.main.filtering.running)
        shown = s.list.shown
        assert shown is not None and 0 < len(shown) < PACKETS
        s.main.prompt.ask(":", f"w {out}")
        await s.press("enter")
        await s.until(lambda: f"saved {len(shown)} packets as" in s.message)
        again = Capture(out)
        again.read_index()
        assert len(again) == len(shown)
        assert [again.row(i).time for i in range(len(again))] == [s.app.capture.row(i).time for i in shown.packets.tolist()]
        written = out.read_bytes()
        s.main.prompt.ask(":", f"w {out}")
        await s.press("enter")
        assert "is there already" in s.message and out.read_bytes() == written
        await s.press("a c")
        s.main.prompt.ask(":", f"w! {out}")
        await s.press("enter")
        await s.until(lambda: f"saved {PACKETS} packets as" in s.message)
        s.main.prompt.ask(":", f"w {tmp_path}/x.txt")
        await s.press("enter")
        await s.until(lambda: "not saved" in s.message)
        await s.press(": s a v e space x enter")
        assert ":w FILE saves the packets" in s.message
    run(scenario)
