"""The OPT pseudo-record of EDNS (RFC 6891) and its options."""
from __future__ import annotations

from collections.abc import Sequence

from protocols.dns import tables as t
from protocols.dns.parts import NAME, AddressPart, Choice, Fixed, Many, S
from protocols.engine.fields import Field, Spec
from protocols.engine.records import U8, U16, U32, U64, Flags, IfMore, Layout, Rest, Switch, Type

__all__ = ["OPTIONS", "OPT_HEAD", "option_texts"]

OPTION = S("opt", "Option", "none")
CODE, LENGTH, DATA = S("opt.code", "Option Code", "uint16", enum=t.OPTIONS), S("opt.len", "Option Length", "uint16"), S("opt.data", "Option Data", "bytes")
FAMILY = S("opt.client.family", "Family", "uint16", enum=t.FAMILIES)
INFO_CODE, EXTRA_TEXT = S("opt.ext_error.info_code", "Info Code", "uint16", enum=t.EXTENDED_ERRORS), S("opt.ext_error.extra_text", "Extra Text")

Z_BITS = (S("resp.z.do", "DO bit", "bool", mask=0x8000), S("resp.z.co", "Compact answers OK", "bool", mask=0x4000),
          S("resp.z.reserved", "Reserved", "uint16", mask=0x3FFF, base="hex"))
OPT_HEAD = Layout(None, (
    (S("rr.udp_payload_size", "UDP payload size", "uint16"), U16), (S("resp.ext_rcode", "Higher bits in extended RCODE", "uint8", base="hex"), U8),
    (S("resp.edns0_version", "EDNS0 version", "uint8"), U8), (S("resp.z", "Z", "uint16", base="hex"), Flags(U16, Z_BITS))))
"""What stands in an OPT record where others have class and time to live."""


def _group(*parts: tuple[Spec, Type]) -> tuple[Spec, Type]:
    """Several fields in one option."""
    return DATA, Layout(None, parts)


def _subnet() -> Layout:
    part = {1: Layout(None, ((S("opt.client.addr4", "Client Subnet", "ipv4"), AddressPart(4)),)),
            2: Layout(None, ((S("opt.client.addr6", "Client Subnet", "ipv6"), AddressPart(16)),))}
    return Layout(None, (
        (FAMILY, U16), (S("opt.client.netmask", "Source Netmask", "uint8"), U8), (S("opt.client.scope", "Scope Netmask", "uint8"), U8),
        (S("opt.client.addr", "Client Subnet", "bytes"), Switch(FAMILY, part, Rest()))))


CASES: dict[int, tuple[Spec, Type]] = {
    1: _group((S("opt.llq.version", "Version", "uint16"), U16), (S("opt.llq.opcode", "Opcode", "uint16"), U16), (S("opt.llq.error", "Error", "uint16"), U16),
              (S("opt.llq.id", "Id", "uint64"), U64), (S("opt.llq.lease", "Lease", "uint32"), U32)),
    2: _group((S("opt.lease", "Lease", "uint32"), U32), (S("opt.key_lease", "Key lease", "uint32"), IfMore(U32))),
    3: (S("opt.nsid", "Name server id"), Rest(text=True)), 5: (S("opt.dau", "DAU", "uint8", enum=t.ALGORITHMS), Many(U8)),
    6: (S("opt.dhu", "DHU", "uint8", enum=t.DIGESTS), Many(U8)), 7: (S("opt.n3u", "N3U", "uint8"), Many(U8)), 8: (DATA, _subnet()), 20730: (DATA, _subnet()),
    9: (S("opt.expire", "Expire", "uint32"), IfMore(U32)),
    10: _group((S("opt.cookie.client", "Client Cookie", "bytes"), Fixed(8)), (S("opt.cookie.server", "Server Cookie", "bytes"), Rest())),
    11: (S("opt.edns_tcp_keepalive.timeout", "Timeout", "uint16", show=lambda v: f"{v} ({v / 10:g} seconds)"), IfMore(U16)),
    12: (S("opt.padding", "Padding", "bytes"), Rest()), 13: (S("opt.chain.fqdn", "Closest Trust Point"), NAME),
    14: (S("opt.key_tag", "Key tag", "uint16"), Many(U16)), 15: _group((INFO_CODE, U16), (EXTRA_TEXT, Rest(text=True))),
    16: (S("opt.client_tag", "Client tag", "uint16"), U16), 17: (S("opt.server_tag", "Server tag", "uint16"), U16),
    18: (S("opt.report_channel", "Agent domain"), NAME),
    19: _group((S("opt.zoneversion.labels", "Labels", "uint8"), U8), (S("opt.zoneversion.type", "Type", "uint8", enum={0: "SOA-SERIAL"}), U8),
               (S("opt.zoneversion.version", "Version", "bytes"), Rest())),
}


def _title(fields: Sequence[Field]) -> str:
    code = int(fields[0].value)
    return f"Option: {t.OPTIONS.get(code) or f'code {code}'}"


OPTIONS = Layout(None, ((OPTION, Many(Layout(OPTION, ((CODE, U16), (LENGTH, U16), (DATA, Choice(CODE, LENGTH, CASES, DATA))), _title))),))


def option_texts(data: bytes, at: int, end: int) -> list[str]:
    """The extended errors among the options in `data[at:end]`, in words."""
    found = []
    while at + 4 <= end:
        code, size = int.from_bytes(data[at:at + 2], "big"), int.from_bytes(data[at + 2:at + 4], "big")
        at += 4
        if code == 15 and 2 <= size <= end - at:
            number = int.from_bytes(data[at:at + 2], "big")
            extra = data[at + 2:at + size].decode("utf-8", "replace").rstrip("\0")
            found.append((t.EXTENDED_ERRORS.get(number) or f"extended error {number}") + (f": {extra}" if extra else ""))
        at += size
    return found
