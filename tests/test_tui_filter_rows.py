"""What the command line does for filters: macros, and whether a filter holds for a packet or for a message."""
from __future__ import annotations

from pathlib import Path

import pytest
from kafka_wire import request_frame
from packet_bytes import ACK, SYN, between, tcp
from packet_bytes import write as write_capture
from test_tui_filter import applied, below, line, shown, write
from test_tui_screens import Session, run


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folders: nothing of this machine's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


async def command(s: Session, text: str) -> None:
    await s.press(": " + " ".join("space" if c == " " else c for c in text) + " enter")
    await s.pilot.pause(0.02)


def test_the_title_says_for_what_a_filter_holds() -> None:
    async def scenario(s: Session) -> None:
        assert "Packets ━" in s.text
        await applied(s, "tcp.flags.syn == 1")
        assert "Packets · per packet" in s.text
        await applied(s, "pv.kind == request")
        assert "Packets · per message" in s.text
        await applied(s, "zookeeper.xid == 1")
        assert "Packets · per packet" in s.text
        await command(s, "set rows message")
        assert "Packets · per message" in s.text and "holds for one message" in s.message
        await command(s, "set rows packet")
        assert "Packets · per packet" in s.text
        await command(s, "set rows column")
        assert "set rows message, set rows packet" in s.message
        await command(s, "clear")
        assert "Packets ━" in s.text
    run(scenario)


def test_the_filter_in_force_is_asked_again_of_messages(tmp_path: Path) -> None:
    """Packet 3 holds three Kafka requests: no single one has the API key of one and the correlation id of another."""
    asked = b"".join(request_frame(key, 0, body, correlation) for key, correlation, body in ((18, 10, b""), (3, 11, b"\0" * 4), (18, 12, b"")))
    packets = [between(0, 6, tcp(40000, 9092, 99, flags=SYN)), between(1, 6, tcp(9092, 40000, 499, 100, SYN | ACK)),
               between(0, 6, tcp(40000, 9092, 100, 500, data=asked))]

    async def scenario(s: Session) -> None:
        for text, of_message in (("kafka.api_key == 18 && kafka.correlation_id == 11", []), ("kafka.api_key == 3 && kafka.correlation_id == 11", [3])):
            await applied(s, text)
            assert shown(s) == [3]
            await command(s, "set rows message")
            await s.until(lambda: not s.main.filtering.running)
            assert shown(s) == of_message
            await command(s, "set rows packet")
            await s.until(lambda: not s.main.filtering.running)
            assert shown(s) == [3]
    run(scenario, path=write_capture(tmp_path, packets))


def test_a_macro_is_defined_listed_and_used(folders: Path) -> None:
    async def scenario(s: Session) -> None:
        await command(s, "macro")
        assert "macro NAME TEXT" in s.message
        await command(s, "macro flag tcp.flags.$1 == 1")
        assert "${flag} stands for tcp.flags.$1 == 1" in s.message
        assert (folders / "config" / "protoview" / "dfilter_macros").read_text() == '"flag","tcp.flags.$1 == 1"\n'
        await applied(s, "${flag:syn}")
        assert shown(s) == [1, 2, 106, 107, 233, 234] and "${flag:syn}" in line(s)
        await write(s, "${fl")
        assert "flag:" in below(s)[0] and "tcp.flags.$1 == 1" in below(s)[0]
        await s.press("tab")
        assert s.app.main.filter.line.value == "${flag:"
        await write(s, "${flag:sin}", "enter")
        assert "In the macro flag" in s.message
        assert any("^" * len("${flag:sin}") in one for one in below(s))
        await s.press("escape")
        await command(s, "macro")
        assert "${flag}: tcp.flags.$1 == 1" in s.message
        await command(s, "macro tcp.port udp")
        assert "is a field" in s.message
        await command(s, "macro a/b udp")
        assert "a name of letters" in s.message
    run(scenario)


def test_help_names_the_commands() -> None:
    async def scenario(s: Session) -> None:
        await s.press("? ?")
        found = "\n".join(text for _, text in s.app.screen.pane.text)    # type: ignore[attr-defined]
        assert "macro NAME TEXT" in found and "set rows message" in found
    run(scenario)
