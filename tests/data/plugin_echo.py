"""A decoder for "Echo": 2 bytes length of what follows, 1 byte kind, 4 bytes id, text. The reply repeats the request's id and text."""
from protoview import U8, U16, U32, Decoder, Framing, Header, Kind, Layout, Match, Rest, Spec, Status, Summary, read

LENGTH = Spec("echo.len", "Length", "uint16")
KIND = Spec("echo.kind", "Kind", "uint8", {1: "request", 2: "reply"})
ID = Spec("echo.id", "Id", "uint32")
TEXT = Spec("echo.text", "Text", "string", about="What comes back")
MESSAGE = Layout(None, ((LENGTH, U16), (KIND, U8), (ID, U32), (TEXT, Rest(text=True))))


class Echo(Decoder):
    name = "echo"
    title = "Echo example protocol"
    column = "Echo"
    ports = frozenset({7007})
    framing = Framing(offset=0, size=2, order="big", add=2, head=7, least=7, most=65537)

    def specs(self):
        return MESSAGE.specs()

    def recognise(self, opening):
        for client in (0, 1):
            request, reply = opening.data[client][:7], opening.data[1 - client][:7]
            if request[2:3] == b"\1" and reply[2:3] == b"\2" and request[3:] == reply[3:]:
                return Match(70, "a request and the reply with its id", client)
        return None

    def accepts(self, head, side):
        return head[2:3] == (b"\1" if side.from_client else b"\2")

    def header(self, data, start, end, side, session):
        return Header(Kind.REQUEST if side.from_client else Kind.RESPONSE, key=data[start + 3:start + 7], op="echo")

    def describe(self, message):
        text = message.data[message.start + 7:message.end].decode("utf-8", "replace")
        status = None if message.from_client else Status.OK
        return Summary("echo", target=text, id=str(int.from_bytes(message.header.key, "big")), status=status, info=f"echo {text!r}")

    def dissect(self, message):
        return read(MESSAGE, message.data, message.start, message.end, view=message.view, want=message.length)
