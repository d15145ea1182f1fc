"""Finding the packets that a filter shows: a generator that can be stopped at any step and tells how far it has come.

Block by block the index says yes, no or maybe. What may match is read in batches of about a tenth of a second, no further than each test needs and
only where the tests before it left the question open; what was read is kept with the capture for the filters to come.
"""
from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captures.capture import Capture
from captures.filter.compile.compiled import Filter, furthest
from captures.filter.compile.logic import And, Condition, Logic, Negation, Or
from captures.filter.compile.values import NotIndexed
from captures.filter.run.by_index import Block, Ternary
from captures.index.known_layers import BLOCK
from captures.packet.expert import DISPLAYED
from captures.patterns import Endless
from captures.values.field_names import FieldName, Reach
from captures.values.reading import ReadPlan
from captures.values.store import Store
from captures.values.value_column import News, ValueColumn

__all__ = ["FilterRun", "since_shown"]

Array = NDArray[Any]
Bools = NDArray[np.bool_]

STEP = 0.1
"""Seconds that one step may take."""
FIRST_BATCH = 64
LARGEST_BATCH = 65_536
MOST_KEPT = 40_000_000
"""Values kept of all fields together; beyond it, those of other filters are forgotten."""
MESSAGES = "pv"
FEW = 100
"""Distinct values that are tested one by one."""


@dataclass(slots=True)
class Batch:
    """Packets being decided, as rows: a row a packet, or a row a message (`ordinal`) where the filter speaks of messages."""

    block: Block
    packets: Array
    place: Array
    ordinal: Array | None
    verdicts: dict[Condition, Ternary]


def since_shown(filter_: Filter) -> list[str]:
    """Keys of what depends on the packets shown before: such a filter goes packet by packet."""
    return [key for key, field in filter_.fields.items() if field.name == DISPLAYED.name and not key.startswith("$")]


class FilterRun:
    """One filter over one capture, as far as it is indexed now. Iterating yields the indices of matching packets in ascending order, some at a time
    (perhaps none), after each step; `done` of `total` packets are decided. `reference` is the selected packet, for `${field}`. With a `share` (k, n) only
    the packets of every n-th stream are decided, from stream k on, and with k = 0 those of no stream; not for a filter that has keys `since_shown`."""

    def __init__(self, capture: Capture, filter_: Filter, first: int = 0, last: int | None = None, reference: int | None = None,
                 share: tuple[int, int] = (0, 1)) -> None:
        self.filter = filter_
        self.first = first
        self.total = len(capture) if last is None else min(last, len(capture))
        self.done = first
        self.found = 0
        """Packets that matched so far."""
        self._index = capture.index
        self._store = Store.of(capture)
        self._passing: dict[str, dict[int, list[Any]]] = {}
        self._tables: dict[Condition, tuple[Bools, Bools]] = {}
        self._addresses: dict[Condition, tuple[Bools, Bools]] = {}
        self._share = share
        self._since_shown = since_shown(filter_)
        self._wanted = self._groups()
        self._shown = -1
        self._size = 1 if self._since_shown else FIRST_BATCH
        own = set(filter_.fields) | {MESSAGES}
        if sum(kept.size for kept in self._store.kept.values()) > MOST_KEPT:
            self._store.kept = {key: kept for key, kept in self._store.kept.items() if key in own}
        self._reference: dict[str, list[Any]] = {"$" + name: self._selected(name, reference) for name in filter_.references}

    def __iter__(self) -> Iterator[Array]:
        filter_ = self.filter
        for low in range(self.first - self.first % BLOCK, self.total, BLOCK):
            start, high = max(low, self.first), min(low + BLOCK, self.total)
            block = Block(self._index, self._store.structure, filter_.fields, start, high, self._addresses)
            yes, maybe = self._shared(start, high, block.evaluate(filter_.logic))
            candidates = np.flatnonzero(maybe) + start if maybe is not None else np.zeros(0, np.int64)
            verdicts: dict[Condition, Ternary] = {}
            at = 0
            while at < len(candidates):
                chunk = candidates[at : at + self._size]
                at += len(chunk)
                began = time.perf_counter()
                if self._since_shown:
                    before = np.flatnonzero(yes[: int(chunk[0]) - start])
                    self._shown = max(self._shown, int(before[-1]) + start if len(before) else -1)
                    self._time_since_shown(int(chunk[0]))
                try:
                    matching = chunk[self._decide(block, chunk, verdicts)]
                except Endless as fault:
                    raise Endless(fault.pattern, self.done) from None
                self._passing.clear()
                if len(matching):
                    self._shown = int(matching[-1])
                end = high if at >= len(candidates) else int(chunk[-1]) + 1
                sure = np.flatnonzero(yes[self.done - start : end - start]) + self.done
                yield self._step(np.union1d(sure, matching) if len(sure) else matching, end)
                self._adapt(time.perf_counter() - began, len(chunk))
            if self.done < high:
                yield self._step(np.flatnonzero(yes[self.done - start :]) + self.done, high)

    def _shared(self, start: int, high: int, verdict: Ternary) -> Ternary:
        """A verdict on these packets, without those that are not of the share."""
        number, count = self._share
        if count == 1:
            return verdict
        stream = self._index.columns.sd[start:high] >> 1
        mine = np.where(stream < 0, number == 0, stream % count == number)
        return Ternary(verdict.yes & mine, None if verdict.maybe is None else verdict.maybe & mine)

    def knows(self, packets: Array) -> bool:
        """Whether all that may be asked of these packets (ascending) was read already, for whatever purpose."""
        for key in self.filter.fields:
            kept = self._store.kept.get(self._store.name_of(key, key in self.filter.present))
            if key.startswith("$") or key in self._since_shown or kept is None or len(kept.unread(packets)):
                return False
        return True

    def news(self) -> dict[str, News]:
        """What was read for this filter since this was called last, by what it is kept under. Keys of the outcome of a test are this filter's own."""
        names = [self._store.name_of(key, key in self.filter.present) for key, field in self.filter.fields.items() if field.test is None]
        columns = {name: self._store.kept[name] for name in names if name in self._store.kept}
        return {name: news for name, column in columns.items() if (news := column.news()) is not None}

    def matches(self, packet: int) -> bool:
        """Whether one packet is shown."""
        block = Block(self._index, self._store.structure, self.filter.fields, packet, packet + 1, self._addresses)
        yes, maybe = block.evaluate(self.filter.logic)
        if maybe is None or not maybe[0]:
            return bool(yes[0])
        self._time_since_shown(packet)
        found = bool(self._decide(block, np.array([packet]), {})[0])
        self._passing.clear()
        return found

    def _time_since_shown(self, packet: int) -> None:
        """The values of fields that count from the packet shown last."""
        time, shown = (self._index.columns.time(one) for one in (packet, self._shown if self._shown >= 0 else packet))
        for key in self._since_shown:
            self._passing[key] = {packet: [] if time is None or shown is None else [time - shown]}

    def _step(self, matching: Array, end: int) -> Array:
        self.done = end
        self.found += len(matching)
        return matching

    def _adapt(self, seconds: float, size: int) -> None:
        if self._since_shown:
            return
        if size >= self._size and seconds < STEP / 2:
            self._size = min(self._size * 2, LARGEST_BATCH)
        elif seconds > STEP * 2:
            self._size = max(self._size // 2, FIRST_BATCH)

    # reading

    def _groups(self) -> dict[Reach, ReadPlan]:
        """The fields that are read together, by reach."""
        filter_ = self.filter
        groups: dict[Reach, dict[str, FieldName]] = {}
        for key, field in filter_.fields.items():
            if not key.startswith("$") and key not in self._since_shown:
                groups.setdefault(field.reach, {})[key] = field
        if filter_.per_message:
            some = next(field for field in filter_.fields.values() if field.per_message)
            groups[Reach.MESSAGE].setdefault(MESSAGES, FieldName(MESSAGES, some.spec, MESSAGES, Reach.MESSAGE))
        return {reach: ReadPlan(fields, filter_.layers, filter_.present) for reach, fields in groups.items()}

    def _kept(self, key: str) -> ValueColumn:
        return self._store.column(key, key in self.filter.present)

    def _ensure(self, reach: Reach, packets: Array, likely: Bools | None = None) -> None:
        """Have the fields of one reach read in these packets (ascending); `likely` is as for `Store.read`."""
        if reach in self._wanted:
            self._store.read(reach, self._wanted[reach], packets, self._passing, likely)

    def _selected(self, name: str, reference: int | None) -> list[Any]:
        """The values of a field in the selected packet."""
        if reference is None:
            return []
        field = self.filter.fields["$" + name]
        return [value for value in self._store.values([field], np.array([reference]))[field.name][0] if value is not None]

    # deciding

    def _decide(self, block: Block, packets: Array, verdicts: dict[Condition, Ternary]) -> Bools:
        """Which of the packets match."""
        place, ordinal = np.arange(len(packets)), None
        if self.filter.per_message:
            self._ensure(Reach.MESSAGE, packets)
            counts = np.maximum(self._kept(MESSAGES).counts(packets), 1)
            place = np.repeat(place, counts)
            ordinal = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
        batch = Batch(block, packets, place, ordinal, verdicts)
        truth = self._truth(self.filter.logic, batch, np.arange(len(place)))
        out = np.zeros(len(packets), np.bool_)
        out[place[truth]] = True
        return out

    def _truth(self, logic: Logic, batch: Batch, rows: Array) -> Bools:
        """Which of the rows match."""
        if isinstance(logic, Condition):
            return self._leaf(logic, batch, rows)
        if isinstance(logic, Negation):
            return ~self._truth(logic.part, batch, rows)
        if isinstance(logic, (And, Or)):
            stop = isinstance(logic, Or)
            out = np.full(len(rows), not stop)
            live = np.arange(len(rows))
            for part in sorted(logic.parts, key=lambda one: furthest(one, self.filter.fields)):
                truth = self._truth(part, batch, rows[live])
                out[live[truth == stop]] = stop
                live = live[truth != stop]
                if not len(live):
                    break
            return out
        odd = np.zeros(len(rows), np.bool_)
        for part in logic.parts:
            odd ^= self._truth(part, batch, rows)
        return odd

    def _leaf(self, leaf: Condition, batch: Batch, rows: Array) -> Bools:
        if leaf not in batch.verdicts:
            batch.verdicts[leaf] = batch.block.evaluate(leaf)
        yes, maybe = batch.verdicts[leaf]
        place = batch.place[rows]
        offset = batch.packets[place] - batch.block.low
        out: Bools = yes[offset]
        if maybe is None:
            return out
        left = np.flatnonzero(maybe[offset])
        if not len(left):
            return out
        out = out.copy()
        if batch.ordinal is not None and any(self.filter.fields[key].per_message for key in leaf.keys if not key.startswith("$")):
            out[left] = self._of_messages(leaf, batch, rows[left])
        elif batch.ordinal is not None:
            once, inverse = np.unique(place[left], return_inverse=True)
            out[left] = self._of_packets(leaf, batch.packets[once])[inverse]
        else:
            out[left] = self._of_packets(leaf, batch.packets[place[left]])
        return out

    def _of_packets(self, leaf: Condition, packets: Array) -> Bools:
        """One test, all occurrences of a packet together."""
        if leaf.needs and not (likely := self._likely(leaf, packets)).all():
            found = np.zeros(len(packets), np.bool_)
            if likely.any():
                found[likely] = self._of_packets(leaf, packets[likely])
            return found
        for reach in sorted({self.filter.fields[key].reach for key in leaf.keys if not key.startswith("$")}):
            self._ensure(reach, packets, self._holding(leaf))
        if leaf.each and len(leaf.keys) == 1 and (key := next(iter(leaf.keys))) not in self._passing and not key.startswith("$"):
            kept = self._kept(key)
            slots = kept.slots(packets)
            if leaf.exists:
                return np.asarray(slots.counts > 0)
            some, every = self._table(leaf, key, kept)
            out: Bools
            if leaf.every:
                out = np.asarray(slots.counts > 0)
                out[slots.position[~every[slots.codes]]] = False
            else:
                out = np.zeros(len(packets), np.bool_)
                out[slots.position[some[slots.codes]]] = True
            return out
        columns = {key: self._lists(key, packets) for key in leaf.keys}
        return np.fromiter((leaf.holds({key: lists[k] for key, lists in columns.items()}) for k in range(len(packets))), np.bool_, len(packets))

    def _likely(self, leaf: Condition, packets: Array) -> Bools:
        """Which of the packets may satisfy a test by the bytes of their messages; all, when their values are known already."""
        (key,) = leaf.keys
        if not len(self._kept(key).unread(packets)):
            return np.ones(len(packets), np.bool_)
        return self._store.needles.holds(self.filter.fields[key].protocol, leaf.needs, packets)

    def _holding(self, leaf: Condition) -> Bools | None:
        """By packet, which are known to hold a text that the test needs; None where that was not searched for."""
        if not leaf.needs:
            return None
        (key,) = leaf.keys
        return self._store.needles.found(self.filter.fields[key].protocol, leaf.needs)

    def _lists(self, key: str, packets: Array) -> Sequence[list[Any]]:
        """The values of a key, a list a packet."""
        if key.startswith("$"):
            return [self._reference[key]] * len(packets)
        passing = self._passing.get(key)
        if passing is not None:
            return [passing[packet] for packet in packets.tolist()]
        return self._kept(key).lists(packets)

    def _of_messages(self, leaf: Condition, batch: Batch, rows: Array) -> Bools:
        """One test, a message at a time: fields of messages have their value in this message, other fields those of the packet."""
        assert batch.ordinal is not None
        if leaf.needs and not (likely := self._likely(leaf, batch.packets[batch.place[rows]])).all():
            found = np.zeros(len(rows), np.bool_)
            if likely.any():
                found[likely] = self._of_messages(leaf, batch, rows[likely])
            return found
        for reach in sorted({self.filter.fields[key].reach for key in leaf.keys if not key.startswith("$")}):
            self._ensure(reach, _once(batch.packets[batch.place[rows]]), self._holding(leaf))
        packets, ordinal = batch.packets[batch.place[rows]], batch.ordinal[rows]
        fields = self.filter.fields
        if leaf.each and len(leaf.keys) == 1:
            key = next(iter(leaf.keys))
            kept = self._kept(key)
            codes = kept.nth(packets, ordinal)
            some, every = self._table(leaf, key, kept)
            truth = np.append(every if leaf.every else some, False)
            return np.asarray(truth[codes] & (codes != kept.nothing))
        columns: dict[str, Sequence[list[Any]]] = {}
        once, inverse = np.unique(packets, return_inverse=True)
        for key in leaf.keys:
            if not key.startswith("$") and fields[key].per_message:
                kept = self._kept(key)
                codes = kept.nth(packets, ordinal).tolist()
                columns[key] = [[kept.distinct[code]] if code >= 0 and kept.distinct[code] is not None else [] for code in codes]
            else:
                if not key.startswith("$"):
                    self._ensure(fields[key].reach, once)
                lists = self._lists(key, once)
                columns[key] = [lists[k] for k in inverse.tolist()]
        return np.fromiter((leaf.holds({key: lists[k] for key, lists in columns.items()}) for k in range(len(rows))), np.bool_, len(rows))

    def _table(self, leaf: Condition, key: str, kept: ValueColumn) -> tuple[Bools, Bools]:
        """For each distinct value of a field: whether the test holds for some, and for every result of it."""
        some, every = self._tables.get(leaf, (np.zeros(0, np.bool_), np.zeros(0, np.bool_)))
        fresh = kept.distinct[len(some):]
        if fresh:
            more = self._outcomes(leaf, key, fresh)
            some, every = self._tables[leaf] = np.append(some, more[0]), np.append(every, more[1])
        return some, every

    def _outcomes(self, leaf: Condition, key: str, values: list[Any]) -> tuple[Bools, Bools]:
        """The same for values that were not seen yet: numbers all at once."""
        if len(values) > FEW and self.filter.fields[key].kind in ("int", "duration", "time", "double"):
            there = np.array([value is not None for value in values], np.bool_)
            try:
                numbers = np.array([value for value in values if value is not None])
                if numbers.dtype.kind in "if":
                    both = np.zeros(len(values), np.bool_)
                    both[there] = np.broadcast_to(leaf.column({key: [numbers]}), len(numbers))
                    return both, both
            except (NotIndexed, OverflowError):
                pass
        outcomes = [self._outcome(leaf, {key: [value]}) for value in values]
        return np.array([one[0] for one in outcomes], np.bool_), np.array([one[1] for one in outcomes], np.bool_)

    @staticmethod
    def _outcome(leaf: Condition, env: dict[str, list[Any]]) -> tuple[bool, bool]:
        if not leaf.ready(env):
            return False, False
        results = list(leaf.pairs(env))
        return any(results), all(results)


def _once(packets: Array) -> Array:
    """Ascending packets without repetition."""
    return packets[np.flatnonzero(np.diff(packets, prepend=-1))]
