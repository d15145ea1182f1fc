"""`-Y`, `-w` and `--with-stream` on the command line: what is printed, and the exit status."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MIXED = Path(__file__).parent / "data" / "filter" / "mixed.pcap"


def protoview(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "protoview", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("text", "status"), [("udp.port == 53", 0), ("tcp.port == 1", 1), ("tcp.prot == 1", 2), ("", 0)])
def test_the_exit_status_says_whether_something_matched(text: str, status: int) -> None:
    done = protoview(str(MIXED), "-Y", text, "-T", "fields", "-e", "frame.number")
    assert done.returncode == status
    assert bool(done.stdout) == (status == 0)


def test_an_error_is_shown_with_its_place() -> None:
    done = protoview(str(MIXED), "-Y", "tcp.prot == 1")
    assert done.stderr.splitlines() == ['protoview: Unknown field "tcp.prot". Did you mean tcp.port?', "    tcp.prot == 1", "    ^^^^^^^^"]


def test_a_trap_is_told_and_the_packets_still_shown() -> None:
    done = protoview(str(MIXED), "-Y", "tcp.flags.syn", "-T", "fields", "-e", "frame.number")
    assert done.returncode == 0
    assert 'filter: "tcp.flags.syn" tests that the field is present' in done.stderr


def test_every_output_shows_the_same_packets() -> None:
    text = "mongo && tcp.len > 100"
    numbers = protoview(str(MIXED), "-Y", text, "-T", "fields", "-e", "frame.number").stdout.split()
    assert len(numbers) > 3
    assert [line.split()[0] for line in protoview(str(MIXED), "-Y", text).stdout.splitlines()] == numbers
    lines = protoview(str(MIXED), "-Y", text, "-T", "ndjson").stdout.splitlines()
    assert [str(json.loads(line)["number"]) for line in lines] == numbers
    assert json.loads(protoview(str(MIXED), "-Y", text, "-T", "json").stdout) == [json.loads(line) for line in lines]
    tree = protoview(str(MIXED), "-Y", text, "-V", "-x", "-T", "text").stdout
    assert [line.split()[1].rstrip(":") for line in tree.splitlines() if line.startswith("Frame ") and " on wire " in line] == numbers


def test_count_is_of_packets_read() -> None:
    everything = protoview(str(MIXED), "-Y", "tcp.len > 0", "-T", "fields", "-e", "frame.number").stdout.split()
    some = protoview(str(MIXED), "-Y", "tcp.len > 0", "-c", "50", "-T", "fields", "-e", "frame.number").stdout.split()
    assert some == [number for number in everything if int(number) <= 50]


def test_what_a_filter_shows_is_saved(tmp_path: Path) -> None:
    out = tmp_path / "some.pcapng"
    done = protoview(str(MIXED), "-Y", "udp", "-w", str(out))
    count = len(protoview(str(MIXED), "-Y", "udp").stdout.splitlines())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"protoview: {out}: {count} packets saved\n")
    assert len(protoview(str(out)).stdout.splitlines()) == count
    more = tmp_path / "more.pcap"
    assert protoview(str(MIXED), "-Y", "kafka && tcp.len > 500", "-w", str(more), "--with-stream").returncode == 0
    assert protoview(str(more), "-Y", "tcp.flags.syn == 1").returncode == 0


def test_where_nothing_is_shown_no_file_is_left_and_that_is_said(tmp_path: Path) -> None:
    new, old = tmp_path / "new.pcapng", tmp_path / "old.pcapng"
    old.write_bytes(b"as it was")
    for path in (new, old):
        done = protoview(str(MIXED), "-Y", "frame.number == 0", "-w", str(path))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"protoview: {path}: not written, for there is no packet to save\n"
    assert (list(tmp_path.iterdir()), old.read_bytes()) == ([old], b"as it was")


def test_what_the_format_cannot_keep_is_said(tmp_path: Path) -> None:
    out = tmp_path / "out.pcap"
    done = protoview(str(MIXED.parents[1] / "cases" / "tools-two-comments.pcapng"), "-w", str(out))
    assert (done.returncode, done.stderr.splitlines()[0]) == (0, f"protoview: {out}: 2 packets saved")
    assert done.stderr.splitlines()[1].startswith(f"protoview: {out}: not kept: packet comments (3), ")


@pytest.mark.parametrize("arguments", [("-w", "x.txt"), ("--with-stream",), ("-w", "/nonexistent/x.pcap")])
def test_what_cannot_be_saved_is_an_error(arguments: tuple[str, ...]) -> None:
    done = protoview(str(MIXED), *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_any_path_in_a_bson_document_is_a_field():
    """What the client's find commands name, told two ways: by the document's bytes and by the words of the exchange."""
    file = ROOT / "tests" / "data" / "mongodb" / "mongodb-pymongo4.20-ferretdb1.24-crud.pcap.gz"
    frames = [
        subprocess.run([sys.executable, "-m", "protoview", file, "-Y", text, "-T", "fields", "-e", "frame.number"],
                       cwd=ROOT, capture_output=True, text=True).stdout
        for text in ('mongo.doc.find == "orders"', 'pv.op == "find" && pv.target == "shop.orders" && pv.kind == "request"')
    ]
    assert frames[0] == frames[1] != ""
