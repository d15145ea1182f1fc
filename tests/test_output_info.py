"""`--info` tells what capinfos tells."""
from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from captures.output.info import info_lines, open_index
from tui.command.cli import demo

SAME = ["Number of packets", "File size", "Data size", "Capture duration", "First packet time", "Last packet time", "Average packet size",
        "Strict time order", "Packet size limit", "File encapsulation"]
RATES = ["Data byte rate", "Data bit rate", "Average packet rate"]  # capinfos takes times as doubles since 1970: good for 2e-7 s
needs_capinfos = pytest.mark.skipif(shutil.which("capinfos") is None, reason="capinfos is not installed")


def told(path: Path) -> dict[str, str]:
    return facts("".join(info_lines(path, open_index(path))))


def facts(text: str) -> dict[str, str]:
    """Label -> value; of a label that comes twice, the first."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if (match := re.match(r"(\S[^:]*):\s+(\S.*)", line)):
            found.setdefault(match[1], match[2])
    return found


def capinfos(path: Path) -> dict[str, str]:
    """capinfos' values; of the long report where the machine-readable one has short names."""
    runs = [subprocess.run(["capinfos", *more, path], capture_output=True, text=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin:/usr/local/bin"}).stdout
            for more in (["-M"], [])]
    return facts(runs[0]) | {name: value for name, value in facts(runs[1]).items() if name == "File encapsulation"}


def assert_same(path: Path) -> None:
    ours, theirs = told(path), capinfos(path)
    if path.suffix == ".pcapng":    # where capinfos looks for one limit in the file's head; ours is the interfaces'
        theirs["Packet size limit"] = ours["Packet size limit"]
    assert {name: ours.get(name, "").removesuffix(" UTC") for name in SAME} == {name: theirs.get(name, "") for name in SAME}
    assert set(RATES) & set(ours) == set(RATES) & set(theirs)
    for name in set(RATES) & set(ours):
        (our, unit), (their, their_unit) = ours[name].split(), theirs[name].split()
        assert unit == their_unit and float(our) == pytest.approx(float(their), rel=1e-5, abs=0.01)


def test_the_demo_capture_is_told_of():
    ours = told(demo())
    assert ours["Number of packets"] == "1740"
    assert ours["Number of streams"] == "2 TCP, 0 UDP"        # tshark -T fields -e tcp.stream | sort -u
    assert ours["Number of interfaces in file"] == "1"


@needs_capinfos
def test_the_demo_capture_is_told_of_as_by_capinfos():
    assert_same(demo())


@needs_capinfos
@pytest.mark.parametrize("name", ["common/dns.pcap", "zookeeper/zookeeper-raw-3.9.pcap", "public/link-and-odd/tcpdump__tcp-handshake-nano.pcap",
                                  "public/http2-grpc/wireshark__http2-brotli.pcapng",
                                  "public/pcapng-suite/hadrielk__be_test005.pcapng"])
def test_recorded_captures_are_told_of_as_by_capinfos(shared, name):
    if not (shared / name).exists():
        pytest.skip(f"no {name}")
    assert_same(shared / name)


@needs_capinfos
def test_packets_without_a_time_leave_the_order_unknown(shared):
    path = shared / "public/pcapng-suite/hadrielk__le_test201.pcapng"
    if not path.exists():
        pytest.skip("not there")
    ours, theirs = told(path), capinfos(path)
    for name in ("Number of packets", "Data size", "Average packet size", "Strict time order", "File encapsulation", "Capture comment"):
        assert ours.get(name) == theirs.get(name)
    # capinfos tells no times then; ours are of the packets that have one
    assert ours["Packets without a time"] == "1" and ours["Capture duration"] == "0.003000 seconds"


def test_a_capture_without_packets_is_told_of(tmp_path):
    empty = tmp_path / "none.pcap"
    empty.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    ours = told(empty)
    assert (ours["Number of packets"], ours["Data size"], ours["File size"]) == ("0", "0 bytes", "24 bytes")
    assert "Capture duration" not in ours


CASES = Path(__file__).parent / "data" / "cases"


def lines(name: str) -> list[str]:
    return [line.strip() for line in info_lines(CASES / name, open_index(CASES / name))]


@needs_capinfos
@pytest.mark.parametrize("name", ["tools-two-comments.pcapng", "tools-names.pcapng", "tools-directions.pcapng"])
def test_what_the_file_says_of_its_making_is_told_as_by_capinfos(name: str) -> None:
    theirs = subprocess.run(["capinfos", CASES / name], capture_output=True, text=True).stdout
    labels = r"\s*(Capture (hardware|oper-sys|application|comment)|Name |Description|Filter string|Operating system)"
    told = [line.strip() for line in theirs.splitlines() if re.match(labels, line)]
    assert told == [line for line in lines(name) if line in set(told)]


def test_secrets_and_lost_packets_are_told() -> None:
    told = lines("tools-secrets-custom-statistics.pcapng")
    assert {"Number of decryption secrets in file: 1", "Packets dropped:     2", "Packets received = 10", "Packets dropped by the interface = 2"} <= set(told)


def test_two_sections_are_told() -> None:
    assert "Number of sections in file: 4" in lines("tools-sections.pcapng")
    assert "Number of resolved IPv4 addresses in file: 2" in lines("tools-names.pcapng")


@pytest.mark.parametrize(("name", "note"), [
    ("tools-journal", "1 systemd journal block without a packet, the first before packet 1"),
    ("tools-secrets-custom-statistics", "2 custom blocks without a packet, the first before packet 2"),
])
def test_blocks_that_wireshark_numbers_are_told(name: str, note: str) -> None:
    source = open_index(CASES / f"{name}.pcapng").source
    assert source.problems == [f"{note}: Wireshark numbers these as packets, here they are not counted"]
