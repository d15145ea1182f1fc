"""A decoder for "Quiz", inside WebSocket: 1 byte length of what follows, 1 byte kind (1 asks, 2 answers), 2 bytes id, text. The answer repeats the id."""
from protoview import U8, U16, Decoder, Framing, Header, Kind, Layout, Match, Rest, Spec, Status, Summary, read

LENGTH = Spec("quiz.len", "Length", "uint8")
KIND = Spec("quiz.kind", "Kind", "uint8", {1: "question", 2: "answer"})
ID = Spec("quiz.id", "Id", "uint16")
TEXT = Spec("quiz.text", "Text", "string")
MESSAGE = Layout(None, ((LENGTH, U8), (KIND, U8), (ID, U16), (TEXT, Rest(text=True))))


class Quiz(Decoder):
    name = "quiz"
    title = "Quiz example protocol"
    column = "Quiz"
    framing = Framing(offset=0, size=1, order="big", add=1, head=8, least=4, most=256)

    def specs(self):
        return MESSAGE.specs()

    def recognise(self, opening):
        if opening.transport == "websocket" and opening.hint == "quiz":
            return Match(90, "the subprotocol that client and server agreed on")
        return None

    def accepts(self, head, side):
        return head[1:2] == (b"\1" if side.from_client else b"\2")

    def header(self, data, start, end, side, session):
        return Header(Kind.REQUEST if side.from_client else Kind.RESPONSE, data[start + 2:start + 4], "question")

    def describe(self, message):
        text = message.data[message.start + 4:message.end].decode("utf-8", "replace")
        return Summary("question", target=text if message.from_client else "", status=None if message.from_client else Status.OK, info=f"quiz {text!r}")

    def dissect(self, message):
        return read(MESSAGE, message.data, message.start, message.end, view=message.view, want=message.length)
