"""A history that is brought up to date says what one says that is built at once, and tells what became other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from releaser.domain.history import Change, Delta, History, HistoryBuilder, Index, TicketTable
from releaser.domain.history.packing import pack, pack_tail
from releaser.domain.history.unpacking import unpack
from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import Scheme, TagFormat
from tests.fakes.growing_history import GrowingHistory


def read(growing: GrowingHistory, known: Index | None = None) -> tuple[History, Delta]:
    builder = HistoryBuilder(
        tag_format=TagFormat(scheme=Scheme.TWO_PART),
        patterns=TicketPatterns([r"T-\d+"]),
        known=known,
        read=lambda ids: [messages[one] for one in ids],
    )
    refs = growing.refs()
    every = growing.batch([one.id for one in growing.made.commits])
    messages = dict(zip(every.ids, every.messages, strict=True))
    tips, excluded = builder.wanted(refs)
    if tips:
        builder.add(growing.batch(tips, excluded))
    return builder.finish(refs), builder.delta


def by_names(history: History, bits: int) -> frozenset[str]:
    names = {release.rank: release.tag for release in history.releases} | {one.bit: one.branch for one in history.heads}
    return frozenset(name for bit, name in names.items() if bits >> bit & 1)


def answers(history: History) -> dict[str, Any]:
    """Everything that can be asked, with ids instead of places."""
    ids = history.graph.ids
    live = [place for place in range(len(ids)) if place not in history.graph.lost]
    table = TicketTable(history)
    told = {release.tag: [_plain(one) for one in history.changes(release)] for release in history.releases}
    return {
        "count": len(history),
        "releases": [(one.tag, one.commit, one.rank, one.previous_tag) for one in history.releases],
        "unread": history.unread_tags,
        "heads": [(one.branch, one.commit, one.line, one.bit) for one in history.heads],
        "changes": told,
        "contained": {ids[one]: by_names(history, history.bits(one)) for one in live},
        "in force": {ids[one]: by_names(history, history.force.bits(one)) for one in live},
        "carried": {ids[one]: history.carried(one) for one in live},
        "lines": {ids[one]: history.on_lines(one) for one in live},
        "picks": [(ids[one.commit], one.source_id, one.layer) for one in history.picks],
        "reverts": [(ids[one.commit], ids[one.reverted], one.by_id) for one in history.reverts],
        "links": {ids[one]: links for one, links in sorted(history.links.items(), key=lambda one: ids[one[0]])},
        "tickets": [_ticket(history, table, key) for key in table.keys],
        "statuses": list(table.statuses()),
        "fixed": {key: by_names(history, bits) for key, bits in table.fixed()},
        "pending": {head.branch: [_plain(one) for one in history.pending(head, since=None)] for head in history.heads},
        "unreleased": {head.branch: [ids[one] for one in history.unreleased(head)] for head in history.heads},
        "found": {ids[one][:8]: history.find(ids[one][:8]) == one for one in live},
    }


def _plain(change: Change) -> tuple[Any, ...]:
    one = change.commit
    about = (one.id, one.parents, one.author, one.authored_at, one.committed_at, one.message, one.tickets)
    return (*about, change.standing, change.picked_from, change.reverted_by, change.reverts)


def _ticket(history: History, table: TicketTable, key: str) -> tuple[Any, ...]:
    shown = table.show(key)
    assert shown is not None
    commits = [(one.id, one.relation, one.via) for one in shown.commits]
    return key, commits, shown.releases, shown.lines, [head.branch for head in shown.heads]


class Elsewhere:
    """What somebody keeps of a history who only writes what a delta tells."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[Any, Any]] = {}
        self.state = ""

    def take(self, history: History, delta: Delta) -> None:
        fresh = facts(history)
        if delta.whole or delta.since != self.state:
            self.kept, self.state = fresh, delta.state
            return
        ids, kept = history.graph.ids, self.kept
        for name, changed in {
            "set of": [ids[one] for one in (*delta.commits, *delta.moved)],
            "relations": [ids[one] for one in (*delta.commits, *delta.related)],
            "sets": delta.sets,
            "class of": delta.tickets,
            "classes": delta.classes,
            "releases": delta.releases,
            "changes": [history.releases[rank].version.text for rank in delta.changes],
        }.items():
            for key in changed:
                kept[name][key] = fresh[name][key]
        for one in delta.lost:
            del kept["set of"][ids[one]], kept["relations"][ids[one]]
        for key in delta.gone:
            del kept["releases"][key], kept["changes"][key]
        self.state = delta.state


class Shelf:
    """Where an index is written, in two parts."""

    def __init__(self) -> None:
        self.whole, self.tail = b"", b""

    def changed(self, index: Index, chance: random.Random) -> Index:
        """Sometimes the same, sometimes what is read again of what was written: all of it, or what is new."""
        if chance.random() < 0.3:
            return index
        if index.kept is None or chance.random() < 0.3:
            self.whole = b"".join(pack(index))
        else:
            self.tail = b"".join(pack_tail(index))
        found = unpack(self.whole, self.tail)
        assert found is not None
        assert found.state == index.state
        return found


def facts(history: History) -> dict[str, dict[Any, Any]]:
    ids, released = history.graph.ids, (1 << len(history.releases)) - 1
    live = [place for place in range(len(ids)) if place not in history.graph.lost]
    classes = history.classes
    reverts: dict[int, list[str]] = {}
    for one in history.reverts:
        reverts.setdefault(one.commit, []).append(ids[one.reverted])
    picks: dict[int, list[str]] = {}
    for pick in history.picks:
        picks.setdefault(pick.commit, []).append(pick.source_id)
    return {
        "set of": {ids[one]: history.set_of[one] for one in live},
        "sets": {number: bits & released for number, bits in enumerate(history.sets)},
        "relations": {ids[one]: (picks.get(one), reverts.get(one)) for one in live},
        "class of": dict(zip(history.index.links.keys, classes.of, strict=True)),
        "classes": {number: places[0] & released for number, places in enumerate(history.class_places)},
        "releases": {one.version.text: (one.tag, one.tag_object, one.previous_tag) for one in history.releases},
        "changes": {one.version.text: [_plain(c) for c in history.changes(one)] for one in history.releases},
    }


def steps(chance: random.Random, rounds: int) -> Iterator[GrowingHistory]:
    growing = GrowingHistory(chance)
    growing.go_on(chance.randrange(1, 25))
    yield growing
    for _ in range(rounds):
        growing.go_on(chance.choice((0, 0, 1, 1, 2, 3, 5, 12)))
        yield growing


@pytest.mark.timeout(1800)
@settings(max_examples=settings().max_examples)
@given(seed=st.integers(0, 2**32), rounds=st.integers(1, 8))
def test_history_brought_up_to_date_says_what_one_built_at_once_says(seed: int, rounds: int) -> None:
    chance = random.Random(seed)  # noqa: S311 -- it must come out the same again
    known: Index | None = None
    elsewhere, shelf = Elsewhere(), Shelf()
    for number, growing in enumerate(steps(chance, rounds)):
        note(f"round {number}: {growing.heads} {growing.tags}")
        history, delta = read(growing, known)
        cold, _ = read(growing)
        mine, whole = answers(history), answers(cold)
        for name, answer in whole.items():
            assert mine[name] == answer, name
        elsewhere.take(history, delta)
        assert elsewhere.kept == facts(history)
        known = shelf.changed(history.index, chance)
