"""Record data, one layout a type. Names are Wireshark's where it has one.

Sources: RFC 1035 and the RFC of each type, by IANA's registry. The data fills `rdlength` bytes exactly; what is left over is marked.
"""
from __future__ import annotations

from base64 import b32hexencode
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address

from protocols.dns import tables as t
from protocols.dns.parts import BITMAP, ETHER, IP4, IP6, NAME, SECONDS, AddressPart, Choice, Fixed, Many, S, Str, Time48
from protocols.engine.fields import Field, Spec, generated
from protocols.engine.records import U8, U16, U32, Custom, Flags, IfMore, Layout, Reader, Rest, Sized, Source, Switch, Type
from protocols.engine.scalars import Malformed, short

__all__ = ["RDATA", "UNKNOWN", "specs"]

KEY_TAG = S("dnskey.key_id", "Key id", "uint16")
KEY_FLAGS = (S("dnskey.flags.zone_key", "Zone Key", "bool", mask=0x100), S("dnskey.flags.key_revoked", "Key Revoked", "bool", mask=0x80),
             S("dnskey.flags.secure_entry_point", "Key Signing Key", "bool", mask=1),
                 S("dnskey.flags.reserved", "Reserved", "uint16", mask=0xFE7E, base="hex"))


def _dnskey(spec: Spec) -> Reader:
    """A public key; its tag is the sum of the whole data by RFC 4034 appendix B."""
    body = Layout(None, ((S_FLAGS, Flags(U16, KEY_FLAGS)), (S("dnskey.protocol", "Protocol", "uint8"), U8),
                         (S_ALGORITHM, U8), (S_PUBLIC, Rest()))).body()

    def read_dnskey(source: Source, at: int, end: int, out: list[Field]) -> int:
        after = body(source, at, end, out)
        data = source.data[at:after]
        if data[3] == 1:
            tag = int.from_bytes(data[-3:-1], "big") if len(data) > 6 else 0
        else:
            padded = data + b"\0" * (len(data) & 1)
            total = sum(int.from_bytes(padded[i:i + 2], "big") for i in range(0, len(padded), 2))
            tag = total + (total >> 16) & 0xFFFF
        out.append(generated(KEY_TAG, tag, at=at, view=source.view))
        return after
    return read_dnskey


S_FLAGS = S("dnskey.flags", "Flags", "uint16", base="hex")
S_ALGORITHM = S("dnskey.algorithm", "Algorithm", "uint8", enum=t.ALGORITHMS)
S_PUBLIC = S("dnskey.public_key", "Public Key", "bytes")
DNSKEY = Custom(_dnskey, (S_FLAGS, *KEY_FLAGS, S("dnskey.protocol", "Protocol", "uint8"), S_ALGORITHM, S_PUBLIC, KEY_TAG))

DS = Layout(None, ((S("ds.key_id", "Key id", "uint16", base="hex"), U16), (S("ds.algorithm", "Algorithm", "uint8", enum=t.ALGORITHMS), U8),
                   (S("ds.digest_type", "Digest Type", "uint8", enum=t.DIGESTS), U8), (S("ds.digest", "Digest", "bytes"), Rest())))
RRSIG = Layout(None, (
    (S("rrsig.type_covered", "Type Covered", "uint16", enum=t.TYPES), U16), (S("rrsig.algorithm", "Algorithm", "uint8", enum=t.ALGORITHMS), U8),
    (S("rrsig.labels", "Labels", "uint8"), U8), (S("rrsig.original_ttl", "Original TTL", "uint32"), U32),
    (S("rrsig.signature_expiration", "Signature Expiration", "time"), SECONDS), (S("rrsig.signature_inception", "Signature Inception", "time"), SECONDS),
    (S("rrsig.key_tag", "Key Tag", "uint16"), U16), (S("rrsig.signers_name", "Signer's name"), NAME), (S("rrsig.signature", "Signature", "bytes"), Rest())))
TLSA = Layout(None, (
    (S("tlsa.certificate_usage", "Certificate Usage", "uint8", enum=t.TLSA_USAGES), U8), (S("tlsa.selector", "Selector", "uint8", enum=t.TLSA_SELECTORS), U8),
    (S("tlsa.matching_type", "Matching Type", "uint8", enum=t.TLSA_MATCHINGS), U8),
    (S("tlsa.certificate_association_data", "Certificate Association Data", "bytes"), Rest())))
KEY = Layout(None, ((S("key.flags", "Flags", "uint16", base="hex"), U16), (S("key.protocol", "Protocol", "uint8"), U8),
                    (S("key.algorithm", "Algorithm", "uint8", enum=t.ALGORITHMS), U8), (S("key.public_key", "Public Key", "bytes"), Rest())))
STRINGS = Many(Str(S("txt.length", "TXT Length", "uint8")))
TXT = Layout(None, ((S("txt", "TXT"), STRINGS),))


APL_FAMILY, APL_LENGTH = S("apl.address_family", "Address Family", "uint16", enum=t.FAMILIES), S("apl.afdlength", "Address Length", "uint8", mask=0x7F)
APL_NEGATION, APL_BYTE = S("apl.negation", "Negation Flag", "bool", mask=0x80), S("apl.length_byte", "Negation and length", "uint8", base="hex")
APL_PARTS = {1: (S("apl.afdpart.ipv4", "Address", "ipv4"), AddressPart(4)), 2: (S("apl.afdpart.ipv6", "Address", "ipv6"), AddressPart(16))}
APL_OTHER = S("apl.afdpart.data", "Address", "bytes")


def _apl(spec: Spec) -> Reader:
    """An item of an address prefix list (RFC 3123)."""
    head = Layout(None, ((APL_FAMILY, U16), (S_PREFIX, U8), (APL_BYTE, Flags(U8, (APL_NEGATION, APL_LENGTH))))).body()
    parts = {family: kind.reader(one) for family, (one, kind) in APL_PARTS.items()}
    other = Rest().reader(APL_OTHER)

    def read_apl(source: Source, at: int, end: int, out: list[Field]) -> int:
        now = head(source, at, end, out)
        family, count = out[-3].value, out[-1].value & 0x7F
        if now + count > end:
            raise short(source, now, count, end, out)
        return parts.get(family, other)(source, now, now + count, out)
    return read_apl


S_PREFIX = S("apl.coded_prefix", "Prefix Length", "uint8")
APL = Custom(_apl, (APL_FAMILY, S_PREFIX, APL_BYTE, APL_NEGATION, APL_LENGTH, *(one for one, _ in APL_PARTS.values()), APL_OTHER))

SVC_KEY = S("svcb.svcparam.key", "SvcParamKey", "uint16", enum=t.SVC_KEYS)
SVC_LENGTH = S("svcb.svcparam.value.length", "SvcParamValue length", "uint16")
SVC_PARAM = S("svcb.svcparam", "SvcParam", "none")
ALPN_LENGTH = S("svcb.svcparam.alpn.length", "ALPN length", "uint8")
SVC_VALUES: dict[int, tuple[Spec, Type]] = {
    0: (S("svcb.svcparam.mandatory.key", "Mandatory key", "uint16", enum=t.SVC_KEYS), Many(U16)),
    1: (S("svcb.svcparam.alpn", "ALPN"), Many(Str(ALPN_LENGTH))), 3: (S("svcb.svcparam.port", "Port", "uint16"), U16),
    4: (S("svcb.svcparam.ipv4hint.ip", "IP", "ipv4"), Many(IP4)), 5: (S("svcb.svcparam.echconfig", "ECHConfig", "bytes"), Rest()),
    6: (S("svcb.svcparam.ipv6hint.ip", "IP", "ipv6"), Many(IP6)), 7: (S("svcb.svcparam.dohpath", "DoH path"), Rest(text=True)),
    9: (S("svcb.svcparam.group", "TLS supported group", "uint16"), Many(U16)),
}
SVC_OTHER = S("svcb.svcparam.value", "SvcParamValue", "bytes")


def _svc_title(fields: Sequence[Field]) -> str:
    key, *values = [one for one in fields if one.name not in (SVC_LENGTH.name, ALPN_LENGTH.name)]
    name = t.SVC_KEYS.get(key.value) or f"key{key.value}"
    return f"SvcParam: {name}" + (" = " + ",".join(one.spec.shown(one.value) for one in values) if values else "")


SVCB = Layout(None, (
    (S("svcb.svcpriority", "SvcPriority", "uint16"), U16), (S("svcb.targetname", "TargetName"), NAME),
    (SVC_PARAM, Many(Layout(SVC_PARAM, ((SVC_KEY, U16), (SVC_LENGTH, U16), (SVC_OTHER, Choice(SVC_KEY, SVC_LENGTH, SVC_VALUES, SVC_OTHER))), _svc_title)))))

GATEWAY_TYPE = S("ipseckey.gateway_type", "Gateway Type", "uint8", enum=t.GATEWAYS)
RELAY_TYPE = S("amtrelay.type", "Relay type", "uint8", enum=t.GATEWAYS, mask=0x7F)
RELAY_BYTE = S("amtrelay.type_byte", "Discovery and type", "uint8", base="hex")


def _gateway(cases: dict[int, tuple[Spec, Type]], earlier: Spec, mask: int = 0xFF) -> Type:
    """The address or name that a type read before announces."""
    kinds = {value: Layout(None, ((spec, kind),)) for value, (spec, kind) in cases.items()}
    return Switch(earlier, kinds if mask == 0xFF else kinds | {value | 0x80: kind for value, kind in kinds.items()})


CAA_TAG_LENGTH, CAA_TAG = S("caa.tag_length", "Tag length", "uint8"), S("caa.tag", "Tag")
HIT_LENGTH, PK_LENGTH = S("hip.hit.length", "HIT length", "uint8"), S("hip.pk.length", "PK length", "uint16")
A6_PREFIX = S("a6.prefix_len", "Prefix len", "uint8")


def _a6(spec: Spec) -> Reader:
    """The end of an address behind a prefix, and the name that has the prefix (RFC 2874)."""
    name = NAME.reader(A6_NAME)

    def read_a6(source: Source, at: int, end: int, out: list[Field]) -> int:
        if at >= end:
            raise short(source, at, 1, end, out)
        prefix = source.data[at]
        out.append(Field(A6_PREFIX, prefix, at, 1, source.view))
        count = (128 - prefix + 7) // 8
        if prefix > 128:
            raise Malformed(at, f"a prefix of {prefix} bits")
        if at + 1 + count > end:
            raise short(source, at + 1, count, end, out)
        if count:
            out.append(Field(A6_SUFFIX, str(IPv6Address(source.data[at + 1:at + 1 + count].rjust(16, b"\0"))), at + 1, count, source.view))
        at += 1 + count
        return name(source, at, end, out) if prefix else at
    return read_a6


A6_SUFFIX, A6_NAME = S("a6.address_suffix", "Address Suffix", "ipv6"), S("a6.prefix_name", "Prefix name")


def _wks(spec: Spec) -> Reader:
    """The bits of ports, the highest bit of the first byte being port 0."""
    def read_wks(source: Source, at: int, end: int, out: list[Field]) -> int:
        ports = [index << 3 | bit for index, byte in enumerate(source.data[at:end]) for bit in range(8) if byte & 0x80 >> bit]
        if at < end:
            out.append(Field(spec, source.data[at:end], at, end - at, source.view, (), f"Ports: {' '.join(map(str, ports[:64])) or 'none'}"))
        return max(at, end)
    return read_wks


def _nsec3_hash(spec: Spec) -> Reader:
    """A length and a hash, shown in base32 with the digits in order (RFC 4648 section 7), as names of NSEC3 are."""
    def read_hash(source: Source, at: int, end: int, out: list[Field]) -> int:
        if at >= end or at + 1 + source.data[at] > end:
            raise short(source, at, 1 + (source.data[at] if at < end else 0), end, out)
        count = source.data[at]
        data = source.data[at + 1:at + 1 + count]
        out.append(Field(HASH_LENGTH, count, at, 1, source.view))
        out.append(Field(spec, b32hexencode(data).decode().rstrip("=").lower(), at + 1, count, source.view))
        return at + 1 + count
    return read_hash


HASH_LENGTH, SALT_LENGTH = S("nsec3.hash_length", "Hash length", "uint8"), S("nsec3.salt_length", "Salt length", "uint8")
SALT = S("nsec3.salt_value", "Salt value", "bytes")
NSEC3_HEAD: tuple[tuple[Spec, Type], ...] = (
    (S("nsec3.algo", "Hash algorithm", "uint8", enum={1: "SHA-1"}), U8),
    (S("nsec3.flags", "NSEC3 flags", "uint8"), Flags(U8, (S("nsec3.flags.opt_out", "NSEC3 Opt-out flag", "bool", mask=1),))),
    (S("nsec3.iterations", "NSEC3 iterations", "uint16"), U16), (SALT_LENGTH, U8), (SALT, Sized(SALT_LENGTH, Rest())))
CSYNC_FLAGS = (S("csync.flags.immediate", "immediate", "bool", mask=1), S("csync.flags.soaminimum", "soaminimum", "bool", mask=2))


def _sized(size: Spec, prefix: Type, spec: Spec, text: bool = False) -> tuple[tuple[Spec, Type], ...]:
    """A length with a field of its own, and that many bytes."""
    return (size, prefix), (spec, Sized(size, Rest(text)))


def _name(name: str, label: str) -> Layout:
    return Layout(None, ((S(name, label), NAME),))


def _rest(name: str, label: str, text: bool = False) -> Layout:
    return Layout(None, ((S(name, label, "string" if text else "bytes"), Rest(text)),))


RDATA: dict[int, Layout] = {
    1: Layout(None, ((S("a", "Address", "ipv4"), IP4),)), 2: _name("ns", "Name Server"), 3: _name("md", "Mail Destination"),
    4: _name("mf", "Mail Forwarder"), 5: _name("cname", "CNAME"),
    6: Layout(None, ((S("soa.mname", "Primary name server"), NAME), (S("soa.rname", "Responsible authority's mailbox"), NAME),
                     (S("soa.serial_number", "Serial Number", "uint32"), U32), (S("soa.refresh_interval", "Refresh Interval", "uint32"), U32),
                     (S("soa.retry_interval", "Retry Interval", "uint32"), U32), (S("soa.expire_limit", "Expire limit", "uint32"), U32),
                     (S("soa.minimum_ttl", "Minimum TTL", "uint32"), U32))),
    7: _name("mb", "MailBox Domain"), 8: _name("mg", "Mail Group member"), 9: _name("mr", "Mail Rename domain"), 10: _rest("null", "Null (data)"),
    11: Layout(None, ((S("wks.address", "Address", "ipv4"), IP4), (S("wks.protocol", "Protocol", "uint8", enum={6: "TCP", 17: "UDP"}), U8),
                      (S("wks.ports", "Ports", "bytes"), Custom(_wks)))),
    12: _name("ptr.domain_name", "Domain Name"),
    13: Layout(None, ((S("hinfo.cpu", "CPU"), Str(S("hinfo.cpu_length", "CPU Length", "uint8"))),
        (S("hinfo.os", "OS"), Str(S("hinfo.os_length", "OS Length", "uint8"))))),
    14: Layout(None, ((S("minfo.r", "Responsible Mailbox"), NAME), (S("minfo.e", "Error Mailbox"), NAME))),
    15: Layout(None, ((S("mx.preference", "Preference", "uint16"), U16), (S("mx.mail_exchange", "Mail Exchange"), NAME))),
    16: TXT, 17: Layout(None, ((S("rp.mailbox", "Mailbox"), NAME), (S("rp.txt_rr", "TXT RR"), NAME))),
    18: Layout(None, ((S("afsdb.subtype", "Subtype", "uint16"), U16), (S("afsdb.hostname", "Hostname"), NAME))),
    19: Layout(None, ((S("x25.psdn_address", "PSDN-Address"), Str(S("x25.length", "Length", "uint8"))),)),
    20: Layout(None, ((S("idsn.address", "ISDN Address"), Str(S("idsn.length", "Length", "uint8"))),
                      (S("idsn.sa.address", "Sub Address"), IfMore(Str(S("idsn.sa.length", "Length", "uint8")))))),
    21: Layout(None, ((S("rt.subtype", "Preference", "uint16"), U16), (S("rt.intermediate_host", "Intermediate Hostname"), NAME))),
    22: _rest("nsap.rdata", "NSAP Data"), 23: _name("nsap_ptr.owner", "Owner"), 24: RRSIG, 25: KEY,
    26: Layout(None, ((S("px.preference", "Preference", "uint16"), U16), (S("px.map822", "MAP822"), NAME), (S("px.map400", "MAPX400"), NAME))),
    27: Layout(None, ((S("gpos.longitude", "Longitude"), Str(S("gpos.longitude_length", "Longitude length", "uint8"))),
                      (S("gpos.latitude", "Latitude"), Str(S("gpos.latitude_length", "Latitude length", "uint8"))),
                      (S("gpos.altitude", "Altitude"), Str(S("gpos.altitude_length", "Altitude length", "uint8"))))),
    28: Layout(None, ((S("aaaa", "AAAA Address", "ipv6"), IP6),)),
    30: Layout(None, ((S("nxt.next_domain_name", "Next Domain Name"), NAME), (S("nxt.types", "Type bitmap", "bytes"), Rest()))),
    33: Layout(None, ((S("srv.priority", "Priority", "uint16"), U16), (S("srv.weight", "Weight", "uint16"), U16), (S("srv.port", "Port", "uint16"), U16),
                      (S("srv.target", "Target"), NAME))),
    34: Layout(None, ((S("atma.format", "Format", "uint8"), U8), (S("atma.address", "Address", "bytes"), Rest()))),
    35: Layout(None, ((S("naptr.order", "Order", "uint16"), U16), (S("naptr.preference", "Preference", "uint16"), U16),
                      (S("naptr.flags", "Flags"), Str(S("naptr.flags_length", "Flags Length", "uint8"))),
                      (S("naptr.service", "Service"), Str(S("naptr.service_length", "Service Length", "uint8"))),
                      (S("naptr.regex", "Regex"), Str(S("naptr.regex_length", "Regex Length", "uint8"))), (S("naptr.replacement", "Replacement"), NAME))),
    36: Layout(None, ((S("kx.preference", "Preference", "uint16"), U16), (S("kx.key_exchange", "Key Exchange"), NAME))),
    37: Layout(None, ((S("cert.type", "Type", "uint16", enum=t.CERTIFICATES), U16), (S("cert.key_tag", "Key Tag", "uint16", base="hex"), U16),
                      (S("cert.algorithm", "Algorithm", "uint8", enum=t.ALGORITHMS), U8), (S("cert.certificate", "Certificate (or CRL)", "bytes"), Rest()))),
    38: Layout(None, ((A6_PREFIX, Custom(_a6, (A6_SUFFIX, A6_NAME))),)), 39: _name("dname", "Dname"),
    40: Layout(None, ((S("sink.coding", "Coding", "uint8"), U8), (S("sink.subcoding", "Subcoding", "uint8"), U8), (S("sink.data", "Data", "bytes"), Rest()))),
    42: Layout(None, ((S("apl.item", "Item", "none"), Many(Layout(S("apl.item", "Item", "none"), ((APL_FAMILY, APL),)))),)), 43: DS,
    44: Layout(None, ((S("sshfp.algorithm", "Algorithm", "uint8", enum=t.SSH_ALGORITHMS), U8),
                      (S("sshfp.fingerprint.type", "Fingerprint type", "uint8", enum=t.SSH_DIGESTS), U8),
                          (S("sshfp.fingerprint", "Fingerprint", "bytes"), Rest()))),
    45: Layout(None, (
        (S("ipseckey.gateway_precedence", "Gateway Precedence", "uint8"), U8), (GATEWAY_TYPE, U8),
            (S("ipseckey.gateway_algorithm", "Gateway Algorithm", "uint8"), U8),
        (S("ipseckey.gateway", "Gateway"), _gateway({1: (S("ipseckey.gateway_ipv4", "IPv4 Gateway", "ipv4"), IP4),
            2: (S("ipseckey.gateway_ipv6", "IPv6 Gateway", "ipv6"), IP6),
                                                     3: (S("ipseckey.gateway_dns", "DNS Gateway"), NAME)}, GATEWAY_TYPE)),
        (S("ipseckey.public_key", "Public Key", "bytes"), Rest()))),
    46: RRSIG, 47: Layout(None, ((S("nsec.next_domain_name", "Next Domain Name"), NAME), (S("nsec.types", "Types", "bytes"), BITMAP))),
    48: Layout(None, ((S_FLAGS, DNSKEY),)), 49: _rest("dhcid.rdata", "DHCID Data"),
    50: Layout(None, (*NSEC3_HEAD, (S("nsec3.hash_value", "Next hashed owner"), Custom(_nsec3_hash, (HASH_LENGTH,))),
        (S("nsec3.types", "Types", "bytes"), BITMAP))),
    51: Layout(None, NSEC3_HEAD), 52: TLSA, 53: TLSA,
    55: Layout(None, ((HIT_LENGTH, U8), (S("hip.hit.pk.algo", "Public key algorithm", "uint8"), U8), (PK_LENGTH, U16),
                      (S("hip.hit", "Host Identity Tag", "bytes"), Sized(HIT_LENGTH, Rest())),
                          (S("hip.pk", "HIP Public Key", "bytes"), Sized(PK_LENGTH, Rest())),
                      (S("hip.rendezvous_server", "Rendezvous Server"), Many(NAME)))),
    56: TXT, 57: KEY, 58: Layout(None, ((S("talink.previous", "Previous name"), NAME), (S("talink.next", "Next name"), NAME))), 59: DS,
    60: Layout(None, ((S_FLAGS, DNSKEY),)), 61: _rest("openpgpkey.data", "OpenPGP Key"),
    62: Layout(None, ((S("csync.soa", "SOA", "uint32"), U32), (S("csync.flags", "Flags", "uint16", base="hex"), Flags(U16, CSYNC_FLAGS)),
                      (S("csync.type_bitmap", "Type Bitmap", "bytes"), BITMAP))),
    63: Layout(None, ((S("zonemd.serial", "Serial", "uint32"), U32), (S("zonemd.scheme", "Scheme", "uint8", enum={1: "SIMPLE"}), U8),
                      (S("zonemd.hash_algo", "Hash Algorithm", "uint8", enum={1: "SHA-384", 2: "SHA-512"}), U8),
                          (S("zonemd.digest", "Digest", "bytes"), Rest()))),
    64: SVCB, 65: SVCB,
    66: Layout(None, ((S("dsync.type", "Type", "uint16", enum=t.TYPES), U16), (S("dsync.scheme", "Scheme", "uint8"), U8),
        (S("dsync.port", "Port", "uint16"), U16),
                      (S("dsync.target", "Target"), NAME))),
    99: Layout(None, ((S("spf", "SPF"), Many(Str(S("spf.length", "SPF Length", "uint8")))),)),
    104: Layout(None, ((S("ilnp.nid.preference", "Preference", "uint16"), U16), (S("ilnp.nid", "NodeID", "bytes"), Fixed(8)))),
    105: Layout(None, ((S("ilnp.l32.preference", "Preference", "uint16"), U16), (S("ilnp.l32", "Locator32", "ipv4"), IP4))),
    106: Layout(None, ((S("ilnp.l64.preference", "Preference", "uint16"), U16), (S("ilnp.l64", "Locator64", "bytes"), Fixed(8)))),
    107: Layout(None, ((S("ilnp.lp.preference", "Preference", "uint16"), U16), (S("ilnp.lp", "Locator FQDN"), NAME))),
    108: Layout(None, ((S("eui48", "EUI48 Address", "ether"), ETHER),)), 109: Layout(None, ((S("eui64", "EUI64 Address", "bytes"), Fixed(8)),)),
    249: Layout(None, (
        (S("tkey.algo_name", "Algorithm name"), NAME), (S("tkey.signature_inception", "Signature Inception", "time"), SECONDS),
        (S("tkey.signature_expiration", "Signature Expiration", "time"), SECONDS), (S("tkey.mode", "Mode", "uint16", enum=t.TKEY_MODES), U16),
        (S("tkey.error", "Error", "uint16", enum=t.RCODES), U16),
            *_sized(S("tkey.key_size", "Key Size", "uint16"), U16, S("tkey.key_data", "Key Data", "bytes")),
        *_sized(S("tkey.other_size", "Other Size", "uint16"), U16, S("tkey.other_data", "Other Data", "bytes")))),
    256: Layout(None, ((S("uri.priority", "Priority", "uint16"), U16), (S("uri.weight", "Weight", "uint16"), U16),
        (S("uri.target", "Target"), Rest(text=True)))),
    257: Layout(None, ((S("caa.flags", "CAA Flags", "uint8", base="hex"), Flags(U8, (S("caa.flags.issuer_critical", "Issuer Critical", "bool", mask=0x80),))),
                       *_sized(CAA_TAG_LENGTH, U8, CAA_TAG, True),
                       (S("caa.value", "Value"), Rest(text=True)))),
    258: TXT,
    259: Layout(None, ((S("doa.enterprise", "Enterprise", "uint32"), U32), (S("doa.type", "Type", "uint32"), U32),
        (S("doa.location", "Location", "uint8"), U8),
                       (S("doa.media_type", "Media type"), Str()), (S("doa.data", "Data", "bytes"), Rest()))),
    260: Layout(None, (
        (S("amtrelay.precedence", "Precedence", "uint8"), U8), (RELAY_BYTE, Flags(U8,
            (S("amtrelay.discovery", "Discovery optional", "bool", mask=0x80), RELAY_TYPE))),
        (S("amtrelay.relay", "Relay"), _gateway({1: (S("amtrelay.relay_ipv4", "Relay", "ipv4"), IP4), 2: (S("amtrelay.relay_ipv6", "Relay", "ipv6"), IP6),
                                                 3: (S("amtrelay.relay_name", "Relay"), NAME)}, RELAY_BYTE, 0x7F)))),
    261: TXT, 262: TXT, 32768: DS, 32769: DS,
    65281: Layout(None, ((S("wins.local", "Local Flag", "uint32"), U32), (S("wins.lookup_timeout", "Lookup timeout", "uint32"), U32),
                         (S("wins.cache_timeout", "Cache timeout", "uint32"), U32), (S("wins.nb_wins_servers", "Number of WINS servers", "uint32"), U32),
                         (S("wins.wins_server", "WINS Server Address", "ipv4"), Many(IP4)))),
    65282: Layout(None, ((S("winsr.local", "Local Flag", "uint32"), U32), (S("winsr.lookup_timeout", "Lookup timeout", "uint32"), U32),
                         (S("winsr.cache_timeout", "Cache timeout", "uint32"), U32), (S("winsr.name_result_domain", "Name Result Domain"), NAME))),
}


def _size(value: int) -> str:
    """Centimetres as a digit and a power of ten (RFC 1876)."""
    return f"{(value >> 4) * 10 ** (value & 15) / 100:g} m"


def _degrees(value: int) -> str:
    """Thousandths of seconds of arc from 2**31."""
    thousandths = abs(value - (1 << 31))
    return f"{value} ({'-' if value < 1 << 31 else ''}{thousandths // 3_600_000}° {thousandths // 60_000 % 60}' {thousandths % 60_000 / 1000:g}\")"


RDATA[29] = Layout(None, (
    (S("loc.version", "Version", "uint8"), U8), (S("loc.size", "Size", "uint8", show=_size), U8),
        (S("loc.horizontal_precision", "Horizontal Precision", "uint8", show=_size), U8),
    (S("loc.vertical_precision", "Vertical Precision", "uint8", show=_size), U8), (S("loc.latitude", "Latitude", "uint32", show=_degrees), U32),
    (S("loc.longitude", "Longitude", "uint32", show=_degrees), U32),
    (S("loc.altitude", "Altitude", "uint32", show=lambda v: f"{v} ({(v - 10_000_000) / 100:g} m)"), U32)))


RDATA[250] = Layout(None, (
    (S("tsig.algorithm_name", "Algorithm Name"), NAME), (S("tsig.time_signed", "Time Signed", "time"), Time48()), (S("tsig.fudge", "Fudge", "uint16"), U16),
    *_sized(S("tsig.mac_size", "MAC Size", "uint16"), U16, S("tsig.mac.data", "MAC", "bytes")), (S("tsig.original_id", "Original Id", "uint16"), U16),
    (S("tsig.error", "Error", "uint16", enum=t.RCODES), U16),
        *_sized(S("tsig.other_len", "Other Len", "uint16"), U16, S("tsig.other_data", "Other Data", "bytes"))))

UNKNOWN = _rest("data", "Data")


def specs() -> Iterator[Spec]:
    """Every field that record data can hold."""
    for layout in (*RDATA.values(), UNKNOWN):
        yield from layout.specs(SVC_PARAM)
