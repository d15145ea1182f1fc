"""A decoder for "Beacon", over UDP: 1 byte kind (1 asks, 2 answers), 2 bytes id, text. Each datagram is one message; the answer repeats the id."""
from protoview import U8, U16, Decoder, Header, Kind, Layout, Match, Rest, Spec, Status, Summary, read

KIND = Spec("beacon.kind", "Kind", "uint8", {1: "ask", 2: "answer"})
ID = Spec("beacon.id", "Id", "uint16")
TEXT = Spec("beacon.text", "Text", "string")
MESSAGE = Layout(None, ((KIND, U8), (ID, U16), (TEXT, Rest(text=True))))


class Beacon(Decoder):
    name = "beacon"
    title = "Beacon example protocol"
    column = "Beacon"
    ports = frozenset({7017})
    transports = frozenset({"udp"})

    def specs(self):
        return MESSAGE.specs()

    def recognise(self, opening):
        for client in (0, 1):
            asked, answer = opening.data[client], opening.data[1 - client]
            if asked[:1] == b"\1" and answer[:1] in (b"\2", b"") and 7017 in opening.ports:
                return Match(60, "a datagram that asks, on its port", client)
        return None

    def header(self, data, start, end, side, session):
        return Header(Kind.REQUEST if data[start] == 1 else Kind.RESPONSE, data[start + 1:start + 3], "ask")

    def describe(self, message):
        text = message.data[message.start + 3:message.end].decode("utf-8", "replace")
        return Summary("ask", target=text if message.from_client else "", status=None if message.from_client else Status.OK, info=f"beacon {text!r}")

    def dissect(self, message):
        return read(MESSAGE, message.data, message.start, message.end, view=message.view, want=message.length)
