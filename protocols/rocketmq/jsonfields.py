"""JSON as fields: every member and item with its place, named and typed by the body class where the tables know it.

Groups make their children when somebody opens them; the scan itself was done once for the whole text.
"""
from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.rocketmq import specs as s
from protocols.rocketmq import tables as t
from protocols.rocketmq.header_fields import hide
from protocols.rocketmq.jsontext import ARRAY, OBJECT, STRING, Node, scan
from protocols.rocketmq.tables import Member
from protocols.rocketmq.values import masked, typed

PREVIEW = 100
NONE: Mapping[str, Member] = {}


class _Tree:
    """Makes the fields of one JSON text."""

    def __init__(self, data: bytes, view: int, masks: bool) -> None:
        self.data = data
        self.view = view
        self.masks = masks
        self.secrets: list[tuple[int, int]] = []

    def find_secrets(self, node: Node) -> None:
        """Secret members anywhere below; a user's own JSON is shown as it is."""
        stack = [node] if self.masks else []
        while stack:
            one = stack.pop()
            if one.items is not None:
                stack.extend(one.items)
            elif one.name in t.SECRET_MEMBERS and one.value:
                self.secrets.append((one.start, one.end))
        self.secrets.sort()

    def preview(self, node: Node) -> str:
        end = min(node.end, node.start + PREVIEW)
        inside = self.secrets[bisect_left(self.secrets, (node.start, 0)):bisect_left(self.secrets, (end, 0))]
        text = hide(self.data, node.start, end, inside)
        return text + "…" if node.end - node.start > PREVIEW else text

    def children(self, node: Node, expected: str) -> list[Field]:
        """The fields of an object's or array's items. `expected` is the type that the tables give the node: a class, [type], {type} or ""."""
        if node.kind == ARRAY:
            inner = expected[1:-1] if expected.startswith("[") else expected
            return [self.item(number, one, inner) for number, one in enumerate(node.items or ())]
        expected = expected[1:-1] if expected.startswith("[") else expected
        if expected.startswith("{"):
            return [self.member(one, None, expected[1:-1]) for one in node.items or ()]
        members = t.body_classes().get(expected, NONE)
        return [self.member(one, members.get(one.name), "") for one in node.items or ()]

    def item(self, number: int, node: Node, expected: str) -> Field:
        if node.items is None:
            value = "null" if node.value is None else str(node.value)
            return Field(s.ITEM, value, node.start, node.end - node.start, self.view, (), f"{number}: {self.shown(node)}")
        title = f"{number}: {expected + ' ' if expected in t.body_classes() else ''}{self.preview(node)}"
        return Field(s.ITEM, None, node.start, node.end - node.start, self.view, lambda: self.children(node, expected), title)

    def shown(self, node: Node) -> str:
        text = f'"{node.value}"' if node.kind == STRING else str(self.data[node.start:node.end], "utf-8", "replace")
        return text if len(text) <= 512 else text[:512] + "…"

    def member(self, node: Node, known: Member | None, expected: str) -> Field:
        """A member: `known` to its class, or an entry of a map of `expected`."""
        key = node.key
        start = key.start if key is not None else node.start
        length = node.end - start
        wire = node.name if key is None or key.items is None else self.preview(key)
        spec = s.members().get(known.name) if known else None
        name = known.name if known else wire
        label = name if name == wire else f"{name} ({wire})"
        if node.items is not None:
            kind = known.type if known else expected
            noun = ("item" if node.kind == ARRAY else "member") + ("" if len(node.items) == 1 else "s")
            inner = kind.strip("[]")
            title = f"{label}: {'' if node.whole else 'at least '}{len(node.items)} {noun}" + (f" ({inner})" if inner in t.body_classes() else "")
            return Field(spec or s.MEMBER, None, start, length, self.view, lambda: self.key_fields(key) + self.children(node, kind), title)
        if self.masks and name in t.SECRET_MEMBERS and node.value:
            hidden = masked(node.end - node.start)
            return Field(spec or s.MEMBER, hidden, start, length, self.view, (), f"{label}: {hidden}")
        extra = (lambda: self.key_fields(key)) if key is not None and key.items is not None else ()
        if spec is not None and node.value is None:
            return Field(spec, None, start, length, self.view, extra, f"{label}: null")
        if spec is not None:
            fits, value = typed(spec, node.value)
            if fits:
                return Field(spec, value, start, length, self.view, extra, f"{label}: {spec.shown(value)}")
        return Field(s.MEMBER, f"{wire}={'null' if node.value is None else node.value}", start, length, self.view, extra, f"{label}: {self.shown(node)}")

    def key_fields(self, key: Node | None) -> list[Field]:
        """The members of an object that stands where a key should: a MessageQueue."""
        if key is None or key.items is None:
            return []
        return [Field(s.KEY, None, key.start, key.end - key.start, self.view, lambda: self.children(key, "MessageQueue"), f"Key: {self.preview(key)}")]


def json_fields(data: bytes, start: int, end: int, cls: str, cut: bool, view: int = 0, spec: Spec = s.BODY_JSON, label: str = "Body") -> Field | None:
    """The node of the JSON in `data[start:end]`, of body class `cls` ("" for a user's own); None when it is no JSON at all."""
    found = scan(data, start, end)
    root = found.root
    if root is None or root.kind not in (OBJECT, ARRAY):
        return None
    tree = _Tree(data, view, bool(cls))
    tree.find_secrets(root)
    out = tree.children(root, cls)
    if found.limited:
        out.append(f.raw(data, found.end, end, view, f"{t.sized(end - found.end)} not opened: {found.fault}"))
    elif found.fault and not cut:
        out.append(f.malformed(found.end, f"JSON: {found.fault}", end, view))
    elif data[found.end:end].strip() and not cut:
        out.append(f.malformed(found.end, f"{t.sized(end - found.end)} after the JSON", end, view))
    title = f"{label}: {cls + ' ' if cls else ''}JSON, {t.sized(end - start)}"
    return Field(spec, hide(data, start, end, tree.secrets), start, end - start, view, out, title)
