"""`-T fields`: what tshark prints, for tshark's fields and options; and the pv.* fields side by side."""
from __future__ import annotations

import shutil
import subprocess

import pytest

from captures.capture import Capture
from captures.output.field_table import FieldFormat, field_format, field_table
from captures.values.known_names import known
from tui.command.cli import demo, main

NAMES = ["frame.number", "frame.len", "frame.time_epoch", "frame.time_relative", "frame.interface_id", "eth.addr", "ip.src", "ip.ttl", "tcp.port",
         "tcp.srcport", "tcp.flags", "tcp.flags.syn", "tcp.seq", "tcp.options.mss_val", "udp.srcport", "ip"]
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


@pytest.fixture(scope="module")
def capture() -> Capture:
    made = Capture(demo())
    made.read_index()
    return made


def table(capture: Capture, names: list[str], *options: str, count: int = 0) -> list[str]:
    return "".join(field_table(capture, range(count or len(capture)), names, field_format(options))).splitlines()


def tshark(names: list[str], *options: str) -> list[str]:
    arguments = [part for name in names for part in ("-e", name)] + [part for option in options for part in ("-E", option)]
    done = subprocess.run(["tshark", "-n", "-r", demo(), "-T", "fields", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@needs_tshark
@pytest.mark.parametrize("options", [
    (), ("separator=|", "header=y", "quote=d"), ("separator=/s", "occurrence=f", "quote=s"), ("separator=/t", "occurrence=l", "header=n", "quote=n"),
    ("aggregator=/s",), ("aggregator=ab", "separator=xy"), ("aggregator=;", "occurrence=a"), ("separator=,", "separator=;"),
], ids=" ".join)
def test_the_table_is_tsharks(capture, options):
    assert table(capture, NAMES, *options) == tshark(NAMES, *options)


@needs_tshark
@pytest.mark.parametrize("names", [["frame.number"], ["frame.cap_len", "frame.time", "frame.time_delta"], ["ip.addr", "frame.number"], ["tcp.port"],
                                   ["_ws.col.No.", "_ws.col.Time", "_ws.col.Length"]], ids=" ".join)
def test_every_way_to_a_value_gives_tsharks(capture, names):
    assert table(capture, names) == tshark(names)


def test_columns_go_by_either_case(capture):
    upper, lower = ["_ws.col.Info", "_ws.col.No."], ["_ws.col.info", "_ws.col.no."]
    assert table(capture, upper, count=9) == table(capture, lower, count=9)
    assert table(capture, ["_ws.col.Protocol"], count=4) == ["TCP", "TCP", "TCP", "ZooKeeper"]


def test_a_field_is_the_same_whether_the_application_is_asked_for_or_not(capture):
    names = ["frame.encap_type", "ip.id", "eth.src"]
    assert table(capture, names, count=200) == [line.rsplit("\t", 1)[0] for line in table(capture, [*names, "pv.op"], count=200)]


def test_the_list_of_layers_ends_with_the_application(capture):
    assert table(capture, ["frame.protocols"], count=4) == ["eth:ethertype:ip:tcp"] * 3 + ["eth:ethertype:ip:tcp:zookeeper"]


def test_what_messages_say_lines_up(capture):
    names = [name for name in known(capture.registry) if name.startswith("pv.") and name not in ("pv.incomplete", "pv.target")]
    assert len(names) == 24, "all but the targets, of which a message may have several"
    several = 0
    for line in table(capture, names, "aggregator=|"):
        counts = {cell.count("|") for cell in line.split("\t")}
        assert len(counts) == 1
        several += counts != {0}
    assert several > 0


def test_values_that_a_message_does_not_have_are_empty_and_still_counted():
    format_ = FieldFormat(aggregator="|")
    assert format_.line([["a", "b"], ["", "x"], ["", ""], []]) == "a|b\t|x\t|\t\n"
    assert field_format(["quote=d", "aggregator=|"]).line([["", ""], []]) == '"|"\t\n'


@pytest.mark.parametrize("option", ["foo=1", "header=1", "quote=z", "occurrence=z", "separator=", "aggregator", "", "header"])
def test_an_option_that_tshark_refuses_is_refused(option, capsys):
    with pytest.raises(ValueError, match="not a valid field output option=value pair"):
        field_format([option])
    assert main([str(demo()), "-T", "fields", "-e", "ip.src", "-E", option]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_unknown_fields_are_all_named_and_nothing_is_printed(capsysbinary):
    assert main([str(demo()), "-T", "fields", "-e", "nosuch.field", "-e", "ip.src", "-e", "other.nosuch"]) == 2
    out, err = capsysbinary.readouterr()
    assert (out, err) == (b"", b"protoview: Some fields aren't valid: nosuch.field, other.nosuch\n")


def test_a_value_cannot_break_the_line(capture):
    for line in table(capture, ["zookeeper.path", "tcp.payload", "_ws.col.Info"], count=300):
        assert line.count("\t") == 2 and line.replace("\t", "").isprintable()
