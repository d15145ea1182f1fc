"""The project's list of display filters (`filters.txt`) against tshark on public captures, where every difference has its reason.

tshark reads a capture once and judges all filters by Lua taps, one a filter. `EXCEPTIONS` says in which frames ours differ on purpose: a difference
in another frame fails, and so does a capture that differs no more.
"""
from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from captures.capture import Capture
from captures.filter import FilterError, FilterRun, Names, compile_filter

LIST = [line for line in (Path(__file__).parent / "filters.txt").read_text().splitlines() if line and not line.startswith("#")]
TSHARK = ["tshark", "-n", "-q", "-o", "tcp.reassemble_out_of_order:TRUE", "-d", "tcp.port==27017,mongo"]
BY_TAP = ("len(tcp)", "frame.time_delta_displayed")
"""Of filters with these a tap sees other frames than `tshark -Y`: tshark sets the length of TCP's node otherwise when more fields are asked for, and
without -Y all frames are displayed."""
TAPS = """
local number = 0
for line in io.lines(os.getenv("FILTERS")) do
  number = number + 1
  local which = number
  local good, tap = pcall(Listener.new, "frame", line)
  if good then
    tap.packet = function(pinfo) print(which .. " " .. pinfo.number) end
  else
    print(which .. " refused")
  end
end
"""
EQUAL = (
    "kafka/nDPI__kafka.pcapng", "mongodb/packetbeat__mongodb_inserts.pcap", "mqtt/deepflow__mqtt_roundtrip.pcap", "tcp-behaviour/deepflow__ip-fragment.pcap",
    "link-and-odd/PcapPlusPlus__CiscoHDLC.pcap", "link-and-odd/PcapPlusPlus__tcp-malformed.pcap", "link-and-odd/tcpdump__tcp_rst_data.pcap",
    "link-and-odd/suricata-verify__http-gap-beyond-body.input.pcap", "pcapng-suite/hadrielk__be_test012.pcapng",
)
EXCEPTIONS = {
    "any port": ("kafka/deepflow__00-produce-v7-sw8.pcap", {4, 6}),             # tshark knows Kafka and MongoDB by their ports, we by what they say
    "tunnels": ("link-and-odd/zeek__erspanIII.pcap", {1, 2}),                   # GRE, ERSPAN, Geneve, VXLAN and L2TP are not opened
    "links": ("link-and-odd/zeek__arp-who-has-radiotap.pcap", {1, 2}),          # 802.11, PPI, NFLOG; the tags E-tag and NSH: bytes without layers
    "other blocks": ("pcapng-suite/rusticata__test017-le.pcapng", {1, 2, 3, 4}),  # tshark counts custom blocks of pcapng as frames
    "no length": ("link-and-odd/tcpdump__bigtcp-ipv6.pcap", {1}),               # an IPv6 length of 0 is read as segmentation offload, as in IPv4
    "options": ("link-and-odd/zeek__ipv6-mobility-dst-opts.pcap", {1}),         # an option that runs past its header does not end the reading
    "cut header": ("link-and-odd/zeek__trunc-hdr.pcap", {1}),                   # what is there of a header is shown, by tshark nothing
    "no byte": ("link-and-odd/suricata-verify__decode-too-small.test.pcap", {6}),  # frame.protocols names no layer that has no byte
    "version": ("link-and-odd/tcpdump__LINKTYPE_IPV6_invalid.pcap", {1}),       # ip.version is looked for in IPv4 only
}


@cache
def taps_work() -> bool:
    return bool(shutil.which("tshark")) and "with Lua" in subprocess.run(["tshark", "-v"], capture_output=True, text=True, check=True).stdout


def theirs(path: Path, folder: Path) -> list[set[int] | None]:
    """The frames that tshark shows for each filter of the list; None for one that it refuses."""
    script, wanted = folder / "taps.lua", folder / "filters"
    script.write_text(TAPS)
    wanted.write_text("\n".join(LIST) + "\n")
    done = subprocess.run(
        [*TSHARK, "-X", f"lua_script:{script}", "-r", path], capture_output=True, text=True, env={**os.environ, "FILTERS": str(wanted)}, check=True)
    found: list[set[int] | None] = [set() for _ in LIST]
    for line in done.stdout.splitlines():
        which, frame = line.split()
        shown = found[int(which) - 1]
        if frame == "refused":
            found[int(which) - 1] = None
        elif shown is not None:
            shown.add(int(frame))
    return found


def ours(path: Path) -> list[set[int] | None]:
    """The same here."""
    found: list[set[int] | None] = []
    capture = Capture(path)
    capture.read_index()
    names = Names(capture.registry)
    for text in LIST:
        try:
            found.append({number + 1 for step in FilterRun(capture, compile_filter(text, names)) for number in step.tolist()})
        except FilterError:
            found.append(None)
    capture.close()
    return found


def differing(path: Path, folder: Path) -> dict[str, set[int]]:
    """Filter -> the frames that one of the two shows alone; none when one of them refuses it."""
    if not path.exists() or not taps_work():
        pytest.skip("needs the capture, and a tshark with Lua")
    out = {}
    for text, mine, other in zip(LIST, ours(path), theirs(path, folder), strict=True):
        if mine != other and not any(one in text for one in BY_TAP):
            out[text] = mine ^ other if mine is not None and other is not None else set()
    return out


@pytest.mark.parametrize("name", EQUAL)
def test_all_filters_show_the_frames_that_tshark_shows(name: str, shared: Path, tmp_path: Path) -> None:
    assert differing(shared / "public" / name, tmp_path) == {}


@pytest.mark.parametrize("reason", EXCEPTIONS)
def test_what_differs_from_tshark_has_its_reason(reason: str, shared: Path, tmp_path: Path) -> None:
    name, frames = EXCEPTIONS[reason]
    found = differing(shared / "public" / name, tmp_path)
    assert found, "differs no more: the exception can go"
    assert set().union(*found.values()) <= frames
    assert all(found.values()), "a filter is refused by one of the two only"
