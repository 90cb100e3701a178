"""Picks, reverts and what they do, on random histories, beside the slow truth worked out from the rules."""

from __future__ import annotations

import pytest
from hypothesis import given, note, settings

from releaser.domain.history import History, HistoryBuilder, TicketTable
from releaser.domain.ticket import TicketRelation
from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import Scheme, TagFormat
from tests.fakes.random_history import RandomHistory, histories
from tests.fakes.slow_truth import SlowTruth


def read(made: RandomHistory) -> History:
    builder = HistoryBuilder(tag_format=TagFormat(scheme=Scheme.TWO_PART), patterns=TicketPatterns([r"T-\d+"]))
    builder.add(made.batch())
    return builder.finish(made.refs())


def told(made: RandomHistory) -> str:
    lines = [
        f"{one.number} {one.id[:7]} <- {list(one.parents)} at {one.committed} authored {one.authored}: {one.message!r}"
        for one in made.commits
    ]
    return "\n".join([repr(made), *lines, f"{made.tags} {made.branches()}"])


@pytest.mark.timeout(1800)
@settings(max_examples=settings().max_examples * 3)
@given(histories())
def test_picks_reverts_and_standings_are_what_the_rules_say(made: RandomHistory) -> None:
    note(told(made))
    history = read(made)
    number_of = {one.id: one.number for one in made.commits}
    numbers = [number_of[one] for one in history.graph.ids]
    by_age = history.graph.oldest_first(range(len(numbers)))
    truth = SlowTruth(made, {numbers[place]: age for age, place in enumerate(by_age)})

    picks = {(numbers[p.commit], numbers[p.source], p.layer.value) for p in history.picks if p.source is not None}
    assert picks == truth.picks
    reverts: dict[int, set[int]] = {}
    for revert in history.reverts:
        reverts.setdefault(numbers[revert.commit], set()).add(numbers[revert.reverted])
    for number in numbers:
        assert reverts.get(number, set()) == set(truth.named_targets(number)), number

    bits = {f"tag {release.tag}": release.rank for release in history.releases}
    bits |= {f"branch {head.branch}": head.bit for head in history.heads}
    tag_of = {release.version: f"tag {release.tag}" for release in history.releases}
    for place, number in enumerate(numbers):
        for tip, bit in bits.items():
            assert bool(history.bits(place) >> bit & 1) is truth.contains(tip, number), (tip, number)
            assert bool(history.force.bits(place) >> bit & 1) is truth.in_force(number, tip), (tip, number)
        carried = {f"tag {one.release.tag}" for one in history.carried(place)}
        assert carried == {tip for tip in truth.carried(number) if tip in tag_of.values()}, number
    for release in history.releases:
        before = tag_of[release.previous] if release.previous else None
        for change in history.changes(release):
            number = numbers[change.commit.index]
            assert change.standing.value == truth.standing(number, f"tag {release.tag}", before), (release.tag, number)

    table = TicketTable(history)
    assert set(table.keys) - {"T-99"} == {ticket for number in numbers for ticket in made.commits[number].fixes}
    for key, statuses in table.statuses():
        shown = table.show(key)
        assert shown is not None
        assert [one.status for one in shown.lines] == list(statuses)
        for on_line in shown.lines:
            wanted = truth.status(key, on_line.line) if key != "T-99" else "unknown"
            assert on_line.status.value == wanted, (key, on_line.line)
        fixing = {numbers[one.commit] for one in shown.commits if one.relation is TicketRelation.FIXES}
        assert fixing == truth.fixing(key)
