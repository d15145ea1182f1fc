"""What is printed when there are no screens: one function picks the pieces of text, another writes them.

Text is gathered and written as UTF-8 in large pieces, whatever the locale. A reader that goes away (`| head`) ends the program quietly;
what the user did wrong becomes one line on standard error and exit status 2.
"""
from __future__ import annotations

import argparse
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from captures.file.errors import CaptureError
from protocols.engine.printable import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from captures.capture import Capture
    from captures.filter import Filter, FilterError, Names
    from protocols.registry import Registry

PIECE = 1 << 17
INTERRUPTED = 130


class UsageError(Exception):
    """What was asked for cannot be done; the text is one line for the user."""


def run(file: Path | None, options: argparse.Namespace) -> int:
    """Print what `options` (of `cli.parser`) ask for; the exit status."""
    from tui.command.piped import settled
    return guarded(lambda: write(output(settled(file) if file is not None else None, options)) or status(options))


def status(options: argparse.Namespace) -> int:
    """0, or 1 when a filter was given that shows nothing, or a plugin was checked of which something is to say."""
    if options.check_plugin:
        return int(bool(options.faults))
    return int(options.filter is not None and not getattr(options, "found", 0))


def guarded(work: Callable[[], int]) -> int:
    """The exit status that `work` gives, with errors of the user's as one line on standard error."""
    try:
        return work()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())   # else Python complains when it closes standard output
    except (CaptureError, UsageError) as error:
        complain(str(error))
        return 2
    except OSError as error:
        complain(": ".join(str(word) for word in (error.filename, error.strerror or error) if word))
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def complain(line: str) -> None:
    """Say what is wrong; further lines are shown as they are."""
    print("\n".join(printable(one) for one in f"protoview: {line}".split("\n")), file=sys.stderr)


def complain_all(problems: Iterable[str], file: Path | None = None) -> None:
    for problem in problems:
        complain(problem if file is None else f"{file}: {problem}")


def write(pieces: Iterable[str]) -> int:
    """Write text to standard output in UTF-8."""
    if sys.stdout is None:
        raise UsageError("standard output is closed")
    out, held, size = sys.stdout.buffer, [], 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= PIECE:
            out.write("".join(held).encode("utf-8", "backslashreplace"))
            held.clear()
            size = 0
    out.write("".join(held).encode("utf-8", "backslashreplace"))
    out.flush()
    return 0


def output(file: Path | None, options: argparse.Namespace) -> Iterable[str]:
    """The pieces of text that were asked for. Raises CaptureError and UsageError before the first of them."""
    if options.info and file is not None:
        return information(file)
    if options.list_protocols or options.list_fields:
        from captures.output import names
        known = registry(options)
        known.decoders()
        complain_all(known.problems)
        return names.protocol_lines(known) if options.list_protocols else names.field_lines(known)
    assert file is not None
    if options.check_plugin:
        from tui.command.check_plugin import checked
        return checked(*indexed(file, options), options)
    if options.follow:
        return follow(file, options)
    if options.output == "fields":
        return table(file, options)
    capture, chosen = selected(file, options)
    if options.save:
        return save(capture, chosen, options)
    if options.output in ("json", "ndjson"):
        from captures.output import ndjson
        return (ndjson.ndjson if options.output == "ndjson" else ndjson.json_array)(capture, chosen, options.dump)
    from captures.output.text import text
    return text(capture, chosen, options.tree, options.dump)


def selected(file: Path, options: argparse.Namespace) -> tuple[Capture, Iterable[int]]:
    """The capture, indexed, and the packets that the filter shows, found while they are asked for. Raises UsageError for a filter that is wrong."""
    capture = open_capture(file, options)
    return capture, choose(capture, options)


def choose(capture: Capture, options: argparse.Namespace) -> Iterable[int]:
    """Index the capture; the packets that are to be shown."""
    if options.filter is None:
        return range(index_all(capture, options))
    from captures.filter import FilterError, Names, compile_filter
    names = Names(capture.registry)
    try:
        made = compile_filter(options.filter, names, macros(options.filter))
    except FilterError as error:
        raise UsageError(told(error, options.filter)) from error
    for trap in made.warnings:
        complain(f'filter: "{options.filter[trap.start:trap.end]}" {trap.message}')
    count = index_all(capture, options)

    def found() -> Iterator[int]:
        for batch in matching(capture, made, names, count):
            options.found = getattr(options, "found", 0) + len(batch)
            yield from batch.tolist()
    return found()


def matching(capture: Capture, made: Filter, names: Names, count: int) -> Iterator[NDArray[np.int64]]:
    """Which of the first `count` packets a filter shows, some at a time; those of a large capture are found by processes that share the work."""
    from captures.filter import FilterRun
    from captures.filter.parallel.pool import FilterPool, processes
    if processes(count) == 1:
        yield from FilterRun(capture, made, last=count)
        return
    process = FilterPool(capture, nice=0)
    try:
        yield from process.run(made, names, last=count)
    finally:
        process.close()


def macros(text: str) -> dict[str, str]:
    """The user's macros, where a filter may use some."""
    if "${" not in text:
        return {}
    from tui.filter.macro_file import MacroFile
    file = MacroFile()
    found = file.macros
    complain_all(file.problems)
    return found


def save(capture: Capture, chosen: Iterable[int], options: argparse.Namespace) -> Iterator[str]:
    """Write the chosen packets to a file, which is left alone when there are none; how many there were is said on standard error."""
    from captures.output.save import save_packets
    packets = list(chosen)
    if not packets:
        complain(f"{options.save}: not written, for there is no packet to save")
        return iter(())
    lost: list[str] = []
    saved = save_packets(capture, packets, options.save, options.with_stream, lost.append)
    complain_all((f"{saved:,} {'packet' if saved == 1 else 'packets'} saved", *lost), options.save)
    return iter(())


def information(file: Path) -> Iterator[str]:
    """What is known of the capture from its index."""
    from captures.output import info
    index = info.open_index(file)
    complain_all(index.source.problems, file)
    return info.info_lines(file, index)


def follow(file: Path, options: argparse.Namespace) -> Iterator[str]:
    """One stream."""
    from captures.output.follow_text import follow_text, wanted_stream
    try:
        stream, mode = wanted_stream(options.follow)
    except ValueError as error:
        raise UsageError(str(error)) from error
    capture, _ = indexed(file, options)
    there = capture.streams(stream.transport)
    if stream.number >= there:
        raise UsageError(f"{file}: no {stream.transport} stream {stream.number}; there are {there:,}, counted from 0")
    try:
        return follow_text(capture.follow(stream), mode)
    except KeyError as error:
        raise UsageError(f"{file}: {stream.transport} stream {stream.number} has no layer {stream.layer!r}; there are: {error.args[0]}") from error


def table(file: Path, options: argparse.Namespace) -> Iterator[str]:
    """Chosen fields."""
    from captures.output.field_table import field_format, field_table
    from captures.values.known_names import known
    try:
        format_ = field_format(options.format)
    except ValueError as error:
        raise UsageError(str(error)) from error
    capture = open_capture(file, options)
    names = known(capture.registry)
    open_ended = tuple(prefix for decoder in capture.registry.decoders() for prefix in decoder.prefixes)
    other = [name for name in dict.fromkeys(options.fields) if name not in names and not name.startswith(open_ended)]
    expressions = expressions_of(capture, other) if other else {}
    return field_table(capture, choose(capture, options), options.fields, format_, expressions)


def expressions_of(capture: Capture, texts: Iterable[str]) -> dict[str, Callable[[int], list[str]]]:
    """The functions that give a packet's values of expressions: of what is no field's name. Raises UsageError for what is neither."""
    from captures.filter import FilterError, Names, compile_expression, computed
    names, made, wrong = Names(capture.registry), {}, []
    for text in texts:
        if re.fullmatch(r"[\w.$-]+", text):
            near = names[text].name if text in names else names.similar(text)
            wrong.append(text + (f" (did you mean {near}?)" if near else ""))
            continue
        try:
            made[text] = computed(capture, compile_expression(text, names))
        except FilterError as error:
            raise UsageError(told(error, text)) from error
    if wrong:
        raise UsageError("Some fields aren't valid: " + ", ".join(wrong))
    return made


def told(error: FilterError, text: str) -> str:
    """What is wrong about a filter, with the place under its text."""
    message, *place = error.lines(text)
    return "\n".join([message, *("    " + line for line in place)])


def registry(options: argparse.Namespace) -> Registry:
    """The decoders: built in, of --plugin, and in the user's folder of plugins."""
    from platformdirs import user_config_path

    from protocols.registry import Registry
    made = Registry(options.plugin, user_config_path("protoview") / "plugins")
    if options.plugin:
        made.decoders()
        named = tuple(f"plugin {file}" for file in options.plugin)
        wrong = [problem for problem in made.problems if problem.startswith(named)]
        if wrong:
            raise UsageError("\n".join([*wrong, *(made.tracebacks if options.traceback else ())]))
    return made


def open_capture(file: Path, options: argparse.Namespace) -> Capture:
    """The capture with its decoders and what -d says, not indexed yet."""
    from captures.capture import Capture
    capture = Capture(file, registry=registry(options))
    for rule in options.decode_as:
        decode_as(capture, rule)
    return capture


def decode_as(capture: Capture, rule: str) -> None:
    """Apply `tcp.port==2281,zookeeper`."""
    selector, comma, name = rule.partition(",")
    layer, equal, port = selector.partition("==")
    transport, _, field = layer.strip().partition(".")
    port, name = port.strip(), name.strip()
    carriers = {"tcp", "udp", *(decoder.name for decoder in capture.registry.decoders())}
    if not (comma and equal and transport in carriers and field == "port" and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise UsageError(f"-d {rule}: wanted tcp.port==NUMBER,NAME, or another carrier than tcp: udp.port, websocket.port")
    try:
        capture.decode_as(transport, int(port), name)
        taken = capture.registry.get(name).transports
        if {"tcp", "udp"} & {transport} - taken:
            raise UsageError(f"-d {rule}: {name} does not come over {transport}, only over {', '.join(sorted(taken))}")
    except KeyError as error:
        names = ", ".join(sorted(decoder.name for decoder in capture.registry.decoders()))
        raise UsageError(f"-d {rule}: no protocol {name!r}; there are: {names}") from error


def indexed(file: Path, options: argparse.Namespace) -> tuple[Capture, int]:
    """The capture, indexed as far as is asked for, and how many of its packets are to be shown."""
    capture = open_capture(file, options)
    return capture, index_all(capture, options)


def index_all(capture: Capture, options: argparse.Namespace) -> int:
    """Index the capture, with -c no further than needed; how many packets are to be shown."""
    capture.read_index(Enough(capture, options.count) if options.count and not options.follow else None)
    capture.registry.decoders()
    complain_all(capture.problems, capture.path)
    complain_all(capture.registry.problems)
    return min(len(capture), options.count or len(capture))


class Enough(threading.Event):
    """Set once so many packets are indexed."""

    def __init__(self, capture: Capture, count: int) -> None:
        super().__init__()
        self.capture = capture
        self.count = count

    def is_set(self) -> bool:
        return len(self.capture) >= self.count
