"""One ticket with everything that speaks for or against its being fixed: commits, picks, reverts, releases, people's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from releaser.domain.embargo import Untold, untold
from releaser.domain.history import Commit, History, LineStatus, OnLine, TicketCommit, TicketHistory, TicketTable
from releaser.domain.status import Judged
from releaser.flows.find_ticket import product_of
from releaser.flows.judge_tickets import judge_tickets
from releaser.flows.open_history import open_history
from releaser.flows.ports import Facts, Ports
from releaser.store import embargoes, history_views, overrides, stated
from releaser.store.tickets import TicketNotFoundError


def show_evidence(ports: Ports, *, key: str, product: str | None = None, told: Untold | None = untold) -> Facts:
    """The evidence: `commits` oldest first, `lines` of which anything is known, newest number first, and what people said.

    `unknown_lines` are the others; `told` stands in place of texts under embargo. Raises `TicketNotFoundError`, `AmbiguousTicketError`, and as `open_history`.
    """
    with ports.database.reading() as session:
        row = product_of(session, key=key, product=product)
    table = judge_tickets(ports, product=row.name)
    if key not in table:
        raise TicketNotFoundError(
            f"Product '{row.name}' knows no ticket '{key[:120]}'.",
            advice="Check the key; a commit that names it counts after `releaser collect`.",
            field="key",
        )
    history = open_history(ports, product=row.name)
    shown = TicketTable(history).show(key)
    on_lines = {one.line: one for one in shown.lines} if shown else {}
    judged = {one.line: one for one in table.judged(key)}
    telling = {line for line in table.lines if _says_something(judged[line], on_lines.get(line))}
    newest_first = tuple(reversed(table.lines))
    with ports.database.reading() as session:
        states = history_views.states(session, row.id)
        words = {
            **stated.facts(session, row.id, key),
            "said": overrides.story(session, row.id, key),
            "stated": stated.story(session, row.id, key),
        }
        veil = embargoes.veil(session, row.id, now=ports.clock.now())
    facts = {
        "product": row.name,
        "key": key,
        **words,
        "commits": _commits(history, shown, states) if shown else [],
        "lines": [
            {**_line(judged[line], on_lines.get(line), states), "releases": table.release_counts[line]}
            for line in newest_first
            if line in telling
        ],
        "unknown_lines": [line for line in newest_first if line not in telling],
        "branches": [head.branch for head in shown.heads] if shown else [],
        "releases": [
            {
                "version": one.release.version.text,
                "line": one.release.line,
                "state": states.get(one.release.version.text),
                "at": one.release.released_at,
                "via": one.via.value,
                "commit": one.commit,
            }
            for one in (shown.releases if shown else ())
        ],
    }
    return veil.over(facts, told)


def _says_something(judged: Judged, on_line: OnLine | None) -> bool:
    landed = on_line is not None and (on_line.landed or on_line.first is not None)
    return judged.status is not LineStatus.UNKNOWN or judged.override is not None or landed


def _line(judged: Judged, on_line: OnLine | None, states: Mapping[str, str]) -> Facts:
    first = on_line.first if on_line else None
    return {
        "line": judged.line,
        "status": judged.status.value,
        "derived": judged.derived.value,
        "evidence": judged.evidence.value,
        "reach": judged.reach.value,
        "conflict": judged.is_conflict,
        "override": overrides.facts(judged.override) if judged.override else None,
        "landed": on_line.landed if on_line else False,
        "first_version": first.version.text if first else None,
        "first_state": states.get(first.version.text) if first else None,
        "first_at": first.released_at if first else None,
        "via": on_line.via.value if on_line and on_line.via else None,
        "commit": on_line.commit if on_line else None,
        "reverted_by": on_line.reverted_by if on_line else None,
    }


def _commits(history: History, shown: TicketHistory, states: Mapping[str, str]) -> list[Facts]:
    mine = {one.commit for one in shown.commits}
    reverted_by: dict[int, list[Facts]] = {}
    for revert in history.reverts:
        if revert.reverted in mine:
            taken = {"commit": history.graph.ids[revert.commit], "by_id": revert.by_id}
            reverted_by.setdefault(revert.reverted, []).append(taken)
    picked: dict[int, list[Facts]] = {}
    for pick in history.picks:
        if pick.commit in mine:
            source = {"commit": pick.source_id, "layer": pick.layer.value, "is_here": pick.source is not None}
            picked.setdefault(pick.commit, []).append(source)
    commits = history.commits([one.commit for one in shown.commits])
    return [
        _commit(history, one, commit, picked.get(one.commit, []), reverted_by.get(one.commit, []), states)
        for one, commit in zip(shown.commits, commits, strict=True)
    ]


def _commit(
    history: History,
    one: TicketCommit,
    commit: Commit,
    picked: Sequence[Facts],
    reverted_by: Sequence[Facts],
    states: Mapping[str, str],
) -> Facts:
    carried = [found.release for found in history.carried(one.commit) if found.commit == one.id]
    having = {release.version for release in carried}
    return {
        "commit": one.id,
        "subject": commit.subject,
        "author": commit.author,
        "committed_at": commit.committed_at,
        "relation": one.relation.value if one.relation else None,
        "via": one.via.value,
        "picked_from": picked,
        "reverted_by": reverted_by,
        "new_in": [
            release.version.text
            for release in carried
            if release.previous not in having and release.version.text in states
        ],
    }
