"""Decode as: what is offered and marked, what is asked, and the way back."""
from __future__ import annotations

from test_tui_screens import Session, run


def test_decode_as_offers_the_best_protocol_first() -> None:
    async def scenario(s: Session) -> None:
        await s.press("1 3 G d")
        await s.until(lambda: "Decode tcp port 2181" in s.text)
        assert "▶ zookeeper" in s.text and "●automatic" in s.text
        asked: list[tuple[str, int, str]] = []
        s.app.capture.decode_as = lambda *what: asked.append(what)  # type: ignore[method-assign,assignment]
        await s.press("enter")
        await s.until(lambda: s.app.screen is s.main)
        assert asked == [("tcp", 2181, "zookeeper")]
    run(scenario)


def test_decode_as_asks_before_a_protocol_that_does_not_fit_and_leads_back_to_automatic() -> None:
    async def scenario(s: Session) -> None:
        before = s.app.capture.row(12).info
        await s.press("1 3 G d")
        await s.until(lambda: "Decode tcp port 2181" in s.text)
        await s.press("G enter")
        assert "does not recognise this stream" in s.text and s.app.screen is not s.main
        await s.press("enter")
        await s.until(lambda: s.app.screen is s.main)
        forced = s.app.capture.decoded_as("tcp", 2181)
        assert forced not in (None, "zookeeper") and s.app.capture.row(12).info != before
        await s.press("d")
        await s.until(lambda: f"▶●{forced}" in s.text)
        await s.press("g g enter")
        await s.until(lambda: s.app.screen is s.main)
        assert s.app.capture.decoded_as("tcp", 2181) is None and s.app.capture.row(12).info == before
    run(scenario)
