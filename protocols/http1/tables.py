"""Methods, status codes and header fields of HTTP by name.

Sources: RFC 9110, the IANA registries of methods and status codes, WebDAV (RFC 4918), and codes that some servers add.
"""
from __future__ import annotations

from protocols.engine.fields import Spec

METHODS = frozenset([
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK",
    "SEARCH", "BIND", "UNBIND", "REBIND", "ACL", "REPOR", "T", "MKACTIVITY", "CHECKOUT", "CHECKIN", "UNCHECKOUT", "MERGE", "UPDATE", "LABEL",
    "MKWORKSPACE", "MKCALENDAR", "BASELINE-CONTROL", "VERSION-CONTROL", "ORDERPATCH", "MKREDIRECTREF", "UPDATEREDIRECTREF", "LINK", "UNLINK", "QUERY",
    "PURGE", "SOURCE", "NOTIFY", "M-SEARCH", "SUBSCRIBE", "UNSUBSCRIBE", "BPROPFIND", "BPROPPATCH", "POLL", "CCM_POST", "RPC_CONNECT", "RPC_IN_DATA",
    "RPC_OUT_DATA", "WRAPPED", "EXTENSION-METHOD",
])

CODES = {
    100: "Continue", 101: "Switching Protocols", 102: "Processing", 103: "Early Hints", 104: "Upload Resumption Supported", 200: "OK", 201: "Created",
    202: "Accepted", 203: "Non-Authoritative Information", 204: "No Content", 205: "Reset Content", 206: "Partial Content", 207: "Multi-Status",
    208: "Already Reported", 226: "IM Used", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified",
    305: "Use Proxy", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
        403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout", 409: "Conflict",
    410: "Gone", 411: "Length Required", 412: "Precondition Failed", 413: "Content Too Large", 414: "URI Too Long", 415: "Unsupported Media Type",
    416: "Range Not Satisfiable", 417: "Expectation Failed", 418: "I'm a teapot", 421: "Misdirected Request", 422: "Unprocessable Content", 423: "Locked",
    424: "Failed Dependency", 425: "Too Early", 426: "Upgrade Required", 428: "Precondition Required", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 451: "Unavailable For Legal Reasons", 499: "Client Closed Request", 500: "Internal Server Error",
    501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
    506: "Variant Also Negotiates", 507: "Insufficient Storage", 508: "Loop Detected", 510: "Not Extended", 511: "Network Authentication Required",
}

_NAMED = [
    "accept", "accept_language", "accept_encoding", "cache_control", "connection", "content_encoding", "content_type", "cookie", "date", "last_modified",
    "location", "proxy_authenticate", "proxy_authorization", "referer", "server", "set_cookie", "transfer_encoding", "upgrade", "user_agent",
    "www_authenticate", "x_forwarded_for", "authorization", "sec_websocket_accept", "sec_websocket_extensions", "sec_websocket_key",
    "sec_websocket_protocol", "sec_websocket_version", "http2_settings",
]
HEADERS = {name.replace("_", "-"): Spec(f"http.{name}", name.replace("_", "-").title(), "string") for name in _NAMED}
"""Header fields that have a filter name of Wireshark's, by lower-case name."""
HEADERS["host"] = Spec("http.host", "Host", "string")
HEADERS["content-length"] = Spec("http.content_length_header", "Content-Length", "string")

SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "authentication-info"})
SECRET_WORDS = ("token", "secret", "password", "api-key", "apikey", "session")


def secret(name: str) -> bool:
    """Whether the value of a header field (lower-case name) is not for everyone's eyes."""
    return name in SECRET or (any(word in name for word in SECRET_WORDS) and not name.startswith("sec-websocket"))
