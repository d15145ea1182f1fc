"""The command line: what was asked for, before anything heavy is imported.

`protoview FILE` opens the screens when standard output is a terminal; everything else is printed by `tui.command.headless`. Textual, numpy and
the decoders are imported when they are needed, never for `--help`.
"""
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

VERSION = "0.1.0"
DESCRIPTION = "Packet captures in the terminal: the packet list, the dissection tree and the bytes, with every request paired with its response."
EXAMPLES = """\
examples:
  protoview broker.pcap                       open the capture
  protoview --demo                            open the capture that comes with the program
  protoview broker.pcap | less                its packets as text, a line each
  protoview broker.pcap -V -c 10 -T text      the first ten with their trees; -x adds the bytes
  protoview broker.pcap -T ndjson | jq .info  an object a packet; -T json puts them in one array
  protoview broker.pcap -T fields -e frame.number -e ip.src -e pv.op -e pv.status -e pv.rrt
  protoview broker.pcap -Y 'pv.rrt > 50ms && pv.op == "Produce"'
                                              the packets that a display filter shows; status 1 when there are none
  protoview broker.pcap -Y 'tcp.stream == 3' -w one.pcapng
                                              saved as a capture, with all that the file says
  protoview broker.pcap --follow tcp,0        a stream, a line a message; tcp,0,text and tcp,0,hex show its bytes
  protoview broker.pcap -d tcp.port==2281,zookeeper
                                              take the streams with port 2281 for ZooKeeper
  protoview broker.pcap --info                what capinfos tells

values of fields that messages of every protocol have:
  pv.kind    request, response, oneway, event
  pv.status  ok, client_error, server_error (error: one of the two), no_response, not_captured, orphan, truncated
"""
OUTPUTS = ("text", "fields", "json", "ndjson")
DEMO = "zookeeper-recipes.pcap.gz"


class Options(argparse.ArgumentParser):
    """Says what is wrong on one line: the whole usage in front of it would bury it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"protoview: error: {message} (protoview --help tells all options)\n")


EXCLUDED = {
    "--info": ("-Y", "-w", "-T", "-V", "-x", "-c", "-e", "-E", "-d", "--follow", "--check-plugin"),
    "--follow": ("-Y", "-w", "-T", "-V", "-x", "-c", "-e", "-E"),
    "-w": ("-T", "-V", "-x", "-e", "-E"), "--check-plugin": ("-Y", "-w", "-T", "-V", "-x", "-e", "-E", "--follow"),
    "--list-fields": ("-Y", "-w", "-T", "-V", "-x", "-c", "-e", "-E", "-d", "--follow", "--info"),
    "--list-protocols": ("-Y", "-w", "-T", "-V", "-x", "-c", "-e", "-E", "-d", "--follow", "--info"),
    "-T fields": ("-V", "-x"), "-T json": ("-V",), "-T ndjson": ("-V",),
}
"""Option -> those that it would leave without effect."""


def ignored(options: argparse.Namespace) -> str:
    """What is wrong with options that exclude each other; "" for nothing."""
    given = {"-Y": options.filter is not None, "-w": options.save is not None, "-T": options.output is not None, "-V": options.tree, "-x": options.dump,
             "-c": options.count is not None, "-e": bool(options.fields), "-E": bool(options.format), "-d": bool(options.decode_as), "--info": options.info,
             "--follow": options.follow is not None, "--check-plugin": options.check_plugin is not None, "--list-fields": options.list_fields,
             "--list-protocols": options.list_protocols, **{f"-T {one}": options.output == one for one in OUTPUTS}}
    for option, others in EXCLUDED.items():
        wrong = [other for other in others if given[option] and given[other]]
        if wrong:
            return f'"{wrong[0]}" has no effect with "{option}"'
    return '"-E" needs "-T fields"' if options.format and options.output != "fields" else ""


def parser() -> argparse.ArgumentParser:
    """The options; `headless.run` and `main` read what it gives."""
    made = Options(
        prog="protoview", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )
    add = made.add_argument
    add("file", nargs="?", metavar="FILE", help="a pcap or pcapng file, also compressed with gzip, zstd, LZ4, xz or bzip2; - reads a pipe")
    add("-r", dest="read", metavar="FILE", help="the same, as tshark writes it")
    add("--demo", action="store_true", help="open the capture that comes with the program")
    add("-d", dest="decode_as", action="append", default=[], metavar="tcp.port==N,NAME", help="take all streams with this port for protocol NAME (repeatable)")
    add("--plugin", action="append", default=[], type=Path, metavar="FILE", help="load a decoder from a Python file (repeatable)")
    add("--check-plugin", type=Path, metavar="FILE", help="load this decoder and say what it leaves out of the capture: bytes, Specs, repeated names")
    add("--traceback", action="store_true", help="show in full where a plugin failed")
    add("--show-secrets", action="store_true", help="show passwords and tokens of ZooKeeper and Iggy, which are masked otherwise")
    add("--no-mouse", action="store_true", help="leave the mouse to the terminal, to select text with it")
    out = made.add_argument_group("output without screens, also whenever standard output is not a terminal")
    add = out.add_argument
    add("-T", dest="output", choices=OUTPUTS, help="rows (text), chosen fields, or packets as JSON")
    add("-V", dest="tree", action="store_true", help="with text: each packet's tree")
    add("-x", dest="dump", action="store_true", help="with text: each packet's bytes; with JSON: the bytes of its views in hex")
    add("-Y", dest="filter", metavar="FILTER", help="only the packets that this display filter shows: Wireshark's language, with pv.* for messages")
    add("-w", dest="save", type=Path, metavar="OUT", help="save these packets as OUT.pcapng or OUT.pcap instead of printing them")
    add("--with-stream", action="store_true", help="with -w: also the handshakes and segments that the saved messages need")
    add("-c", dest="count", type=_count, metavar="N", help="only the first N packets")
    add("-e", dest="fields", action="append", default=[], metavar="NAME",
        help="with -T fields: print this field, or what an expression gives: len(tcp.payload) (repeatable)")
    add("-E", dest="format", action="append", default=[], metavar="OPTION=VALUE",
        help="with -T fields: separator=/t|/s|C, header=y|n, quote=d|s|n, occurrence=f|l|a, aggregator=,|/s|C (repeatable)")
    add("--follow", metavar="tcp,N[,MODE]", help="print a stream: decoded (default), text or hex")
    add("--info", action="store_true", help="print what is known of the capture as a whole")
    add("--list-protocols", action="store_true", help="print name, title and default ports of the protocols that are decoded")
    add("--list-fields", action="store_true", help="print name, type, label and protocol of every field")
    add("--version", action="version", version=f"protoview {VERSION}", help="print the version")
    return made


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not number:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of packets")
    return number


def demo() -> Path:
    """The capture that comes with the program."""
    import captures
    return Path(captures.__file__).with_name("samples") / DEMO


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; the exit status is 0, 1 when a filter shows nothing, or 2 when something was wrong."""
    options = parser().parse_args(argv)
    files = [Path(file) for file in (options.file, options.read) if file is not None] + [demo()] * options.demo
    if options.check_plugin is not None:
        options.plugin.append(options.check_plugin)
    lists = options.list_protocols or options.list_fields
    if len(files) != 1 and not (lists and not files):
        parser().error("name one capture: protoview FILE, or --demo" if not files else "name one capture, not several")
    if bool(options.fields) != (options.output == "fields") and not lists:
        parser().error('"-T fields" was given, but no fields with "-e"' if options.output == "fields" else '"-e" needs "-T fields"')
    if wrong := ignored(options):
        parser().error(wrong)
    if options.with_stream and options.save is None:
        parser().error('"--with-stream" needs "-w"')
    if options.show_secrets:
        from protocols.engine.scalars import Secret
        Secret.shown = True
    from tui.command import headless
    from tui.command.piped import settled
    from tui.terminal import keyboard
    asked = options.output or options.tree or options.dump or options.count or options.follow or options.info or lists
    asked = asked or options.save or options.check_plugin or options.filter is not None
    if asked or sys.stdout is None or not sys.stdout.isatty() or not keyboard.has_screens():
        return headless.run(files[0] if files else None, options)
    return headless.guarded(lambda: _screens(settled(files[0]), options))


def _screens(file: Path, options: argparse.Namespace) -> int:
    from tui.command import headless
    from tui.terminal import colours, first_rows, keyboard
    capture = headless.open_capture(file, options)
    keyboard.take()
    keyboard.quiet()
    keyboard.on_end(_undraw)
    try:
        first_rows.draw(file)
        os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", colours.depth())      # Textual reads it when it is imported
        from tui.app import app
        return app.run(capture, mouse=not options.no_mouse)
    except BaseException:
        first_rows.withdraw()
        raise
    finally:
        keyboard.give_back()


def _undraw() -> None:
    from tui.terminal import first_rows, keyboard
    first_rows.withdraw()
    keyboard.give_back()
