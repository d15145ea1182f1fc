"""What the author of a decoder wants to know (`--check-plugin`).

Which bytes no field covers, which fields have no Spec, which names stand twice, what failed.
"""
from __future__ import annotations

import argparse
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence

from captures.capture import Capture
from captures.messages import pv_fields
from protocols.decoder import Decoder
from protocols.engine.fields import COMMON, RAW, Field, walk
from protocols.engine.printable import printable

__all__ = ["checked"]

SHOWN = 10
"""Packets named of each kind of finding."""
ALWAYS = frozenset(spec.name for spec in (*COMMON, *pv_fields.SPECS))


def checked(capture: Capture, count: int, options: argparse.Namespace) -> Iterator[str]:
    """The findings on the plugin's protocols in the first packets of a capture, a line each; `options.faults` is set to their number."""
    own = [decoder for decoder in capture.registry.decoders() if type(decoder).__module__.startswith("protoview_plugin_")]
    findings: dict[str, list[int]] = {}
    messages: Counter[str] = Counter()
    for decoder in own:
        for name, times in Counter(spec.name for spec in {id(spec): spec for spec in decoder.specs()}.values()).items():
            if times > 1:
                findings[f"{decoder.name}: the name {name} stands in {times} Specs"] = []
    for i in range(count):
        for layer in capture.packet(i).layers:
            decoder_ = next((one for one in own if one.name == layer.spec.name), None)
            if decoder_ is not None:
                messages[decoder_.name] += 1
                for finding in _of_message(decoder_, layer):
                    findings.setdefault(f"{decoder_.name}: {finding}", []).append(i + 1)
    options.faults = len(findings)
    for finding, packets in findings.items():
        where = f" (packet{'s' if len(packets) > 1 else ''} {', '.join(map(str, packets[:SHOWN]))}{', …' if len(packets) > SHOWN else ''})" if packets else ""
        yield printable(finding) + where + "\n"
    if options.traceback:
        yield from _tracebacks(capture, own, count)
    for decoder in own:
        yield f"{decoder.name}: {messages[decoder.name]:,} messages read" + ("" if findings else ", nothing to say") + "\n"


def _of_message(decoder: Decoder, layer: Field) -> Iterator[str]:
    """What is wrong with one message, each kind once."""
    known = {spec.name for spec in decoder.specs()} | {spec.length.name for spec in decoder.specs() if spec.type in ("string", "bytes", "none")}
    known |= {spec.name for spec in decoder.frames or ()}
    bare: set[str] = set()
    covered = bytearray(layer.length)
    for field in walk(layer.fields):
        if field.name not in known and field.name not in ALWAYS and not field.name.startswith(tuple(decoder.prefixes) or ("\0",)):
            bare.add(field.name)
        if field.name == "_ws.malformed" and "the decoder failed" in str(field.value):
            yield str(field.value).partition(": ")[2]
        if field.length and not field.fields and field.spec is not RAW and field.view == layer.view:
            first, last = max(0, field.start - layer.start), min(layer.length, field.end - layer.start)
            covered[first:last] = bytes([1]) * max(0, last - first)
    for name in sorted(bare):
        yield f"the field {name} has no Spec in specs()"
    if covered.count(0):
        yield f"bytes {_ranges(covered)} of a message in no field"


def _ranges(covered: Sequence[int]) -> str:
    """Places that hold 0, as `4-7, 12`."""
    out: list[str] = []
    start = -1
    for at, one in enumerate([*covered, 1]):
        if not one and start < 0:
            start = at
        elif one and start >= 0:
            out.append(str(start) if at - 1 == start else f"{start}-{at - 1}")
            start = -1
    return ", ".join(out[:SHOWN]) + (", …" if len(out) > SHOWN else "")


def _tracebacks(capture: Capture, own: Sequence[Decoder], count: int) -> Iterator[str]:
    """The first failure of each decoder in full."""
    seen: set[str] = set()
    for i in range(count):
        conversation = capture.conversation_of(i)
        for layer in conversation.layers() if conversation is not None else ():
            if layer.decoder not in own or layer.decoder is None or layer.decoder.name in seen:
                continue
            for message in layer.of_packet(i):
                try:
                    for field in walk(layer.decoder.dissect(layer.message(message))):
                        field.text  # noqa: B018 - what a label makes of a value may fail, too
                except Exception:  # whatever the plugin's mistake is, its author wants to see it
                    seen.add(layer.decoder.name)
                    yield f"packet {i + 1}:\n{traceback.format_exc()}"
                    break
