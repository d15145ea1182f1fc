"""The numbers of DNS by name: record types, classes, operations, response codes, EDNS options, algorithms.

Source: IANA "Domain Name System (DNS) Parameters" and the RFCs that it lists.
"""
from __future__ import annotations

from protocols.decoder import Status

A, NS, CNAME, SOA, WKS, PTR, MX, TXT, AAAA, SRV, NAPTR, DNAME, OPT = 1, 2, 5, 6, 11, 12, 15, 16, 28, 33, 35, 39, 41
TSIG, IXFR, AXFR, ANY = 250, 251, 252, 255

TYPES = {
    1: "A", 2: "NS", 3: "MD", 4: "MF", 5: "CNAME", 6: "SOA", 7: "MB", 8: "MG", 9: "MR", 10: "NULL", 11: "WKS", 12: "PTR", 13: "HINFO", 14: "MINFO",
    15: "MX", 16: "TXT", 17: "RP", 18: "AFSDB", 19: "X25", 20: "ISDN", 21: "RT", 22: "NSAP", 23: "NSAP-PTR", 24: "SIG", 25: "KEY", 26: "PX",
    27: "GPOS", 28: "AAAA", 29: "LOC", 30: "NXT", 31: "EID", 32: "NIMLOC", 33: "SRV", 34: "ATMA", 35: "NAPTR", 36: "KX", 37: "CERT", 38: "A6",
    39: "DNAME", 40: "SINK", 41: "OPT", 42: "APL", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 49: "DHCID",
    50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 55: "HIP", 56: "NINFO", 57: "RKEY", 58: "TALINK", 59: "CDS", 60: "CDNSKEY",
    61: "OPENPGPKEY", 62: "CSYNC", 63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 66: "DSYNC", 99: "SPF", 100: "UINFO", 101: "UID", 102: "GID",
    103: "UNSPEC", 104: "NID", 105: "L32", 106: "L64", 107: "LP", 108: "EUI48", 109: "EUI64", 128: "NXNAME", 249: "TKEY", 250: "TSIG", 251: "IXFR",
    252: "AXFR", 253: "MAILB", 254: "MAILA", 255: "ANY", 256: "URI", 257: "CAA", 258: "AVC", 259: "DOA", 260: "AMTRELAY", 261: "RESINFO",
    262: "WALLET", 32768: "TA", 32769: "DLV", 65281: "WINS", 65282: "WINS-R",
}
CLASSES = {1: "IN", 2: "CS", 3: "CH", 4: "HS", 254: "NONE", 255: "ANY"}
QUERY, STATUS, NOTIFY, UPDATE, DSO = 0, 2, 4, 5, 6
OPCODES = {0: "Standard query", 1: "Inverse query", 2: "Server status request", 4: "Zone change notification", 5: "Dynamic update",
           6: "DNS Stateful Operations"}
OPERATIONS = {1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE", 6: "DSO"}
"""Operations other than a query, by opcode."""

NOERROR, FORMERR, NXDOMAIN = 0, 1, 3
RCODES = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH",
    10: "NOTZONE", 11: "DSOTYPENI", 16: "BADVERS", 17: "BADKEY", 18: "BADTIME", 19: "BADMODE", 20: "BADNAME", 21: "BADALG", 22: "BADTRUNC",
    23: "BADCOOKIE",
}
RCODE_TEXT = {
    0: "No error", 1: "Format error", 2: "Server failure", 3: "No such name", 4: "Not implemented", 5: "Refused", 6: "Name exists", 7: "RRset exists",
    8: "RRset does not exist", 9: "Not authoritative", 10: "Name out of zone", 11: "DSO-Type not implemented",
}
OPTIONS = {
    1: "LLQ", 2: "UPDATE-LEASE", 3: "NSID", 4: "OWNER", 5: "DAU", 6: "DHU", 7: "N3U", 8: "CLIENT-SUBNET", 9: "EXPIRE", 10: "COOKIE",
    11: "TCP-KEEPALIVE", 12: "PADDING", 13: "CHAIN", 14: "KEY-TAG", 15: "EXTENDED-ERROR", 16: "CLIENT-TAG", 17: "SERVER-TAG", 18: "REPORT-CHANNEL",
    19: "ZONEVERSION", 20292: "Umbrella Ident", 20730: "CLIENT-SUBNET (old)", 26946: "DeviceID", 65073: "dnsmasq MAC",
}
EXTENDED_ERRORS = {
    0: "Other", 1: "Unsupported DNSKEY Algorithm", 2: "Unsupported DS Digest Type", 3: "Stale Answer", 4: "Forged Answer", 5: "DNSSEC Indeterminate",
    6: "DNSSEC Bogus", 7: "Signature Expired", 8: "Signature Not Yet Valid", 9: "DNSKEY Missing", 10: "RRSIGs Missing", 11: "No Zone Key Bit Set",
    12: "NSEC Missing", 13: "Cached Error", 14: "Not Ready", 15: "Blocked", 16: "Censored", 17: "Filtered", 18: "Prohibited",
    19: "Stale NXDOMAIN Answer", 20: "Not Authoritative", 21: "Not Supported", 22: "No Reachable Authority", 23: "Network Error", 24: "Invalid Data",
    25: "Signature Expired before Valid", 26: "Too Early", 27: "Unsupported NSEC3 Iterations Value", 28: "Unable to conform to policy",
    29: "Synthesized", 30: "Invalid Query Type",
}
ALGORITHMS = {
    1: "RSAMD5", 2: "DH", 3: "DSA", 5: "RSASHA1", 6: "DSA-NSEC3-SHA1", 7: "RSASHA1-NSEC3-SHA1", 8: "RSASHA256", 10: "RSASHA512", 12: "ECC-GOST",
    13: "ECDSAP256SHA256", 14: "ECDSAP384SHA384", 15: "ED25519", 16: "ED448", 17: "SM2SM3", 23: "ECC-GOST12", 252: "INDIRECT", 253: "PRIVATEDNS",
    254: "PRIVATEOID",
}
DIGESTS = {1: "SHA-1", 2: "SHA-256", 3: "GOST 94", 4: "SHA-384", 5: "GOST 2012", 6: "SM3"}
CERTIFICATES = {1: "PKIX", 2: "SPKI", 3: "PGP", 4: "IPKIX", 5: "ISPKI", 6: "IPGP", 7: "ACPKIX", 8: "IACPKIX", 253: "URI", 254: "OID"}
SVC_KEYS = {0: "mandatory", 1: "alpn", 2: "no-default-alpn", 3: "port", 4: "ipv4hint", 5: "ech", 6: "ipv6hint", 7: "dohpath", 8: "ohttp",
            9: "tls-supported-groups"}
SSH_ALGORITHMS = {1: "RSA", 2: "DSA", 3: "ECDSA", 4: "Ed25519", 6: "Ed448"}
SSH_DIGESTS = {1: "SHA-1", 2: "SHA-256"}
TLSA_USAGES = {0: "PKIX-TA", 1: "PKIX-EE", 2: "DANE-TA", 3: "DANE-EE"}
TLSA_SELECTORS = {0: "certificate", 1: "public key"}
TLSA_MATCHINGS = {0: "full", 1: "SHA-256", 2: "SHA-512"}
TKEY_MODES = {1: "server", 2: "Diffie-Hellman", 3: "GSS-API", 4: "resolver", 5: "delete"}
GATEWAYS = {0: "none", 1: "IPv4", 2: "IPv6", 3: "name"}
FAMILIES = {1: "IPv4", 2: "IPv6"}
DSO_TYPES = {1: "KeepAlive", 2: "RetryDelay", 3: "EncryptionPadding", 0x40: "SUBSCRIBE", 0x41: "PUSH", 0x42: "UNSUBSCRIBE", 0x43: "RECONFIRM"}


def type_name(number: int) -> str:
    """The record type as zone files write it, also one that nobody registered (RFC 3597)."""
    return TYPES.get(number) or f"TYPE{number}"


def class_name(number: int) -> str:
    return CLASSES.get(number) or f"CLASS{number}"


def rcode_name(code: int) -> str:
    return RCODES.get(code) or f"unassigned {code}"


def status(code: int) -> Status:
    """Whose fault a response code is."""
    if code == NOERROR:
        return Status.OK
    return Status.CLIENT_ERROR if code in (FORMERR, NXDOMAIN) else Status.SERVER_ERROR
