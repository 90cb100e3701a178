"""The gate before a cut: what speaks against it, each by a named check, from facts that others gathered.

Rules that always hold, because they are the line's own: nothing is cut on a line whose life is over (nobody can override
that; the line's dates can be changed); one that takes security fixes only takes nothing else; a patch of a line that is
patch-only brings no feature. What stands beside them is each product's choice (`domain.gate_policy`): on, warn, off.

What does not live here: gathering the facts (`flows.check_gate`), and refusing the cut (`flows.cut_release`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from releaser.domain.content import Brought, ChangeKind
from releaser.domain.embargo import Untold, Veil
from releaser.domain.gate_policy import GateMode, GatePolicy
from releaser.domain.history import Standing
from releaser.domain.line import LinePhase, LinePolicy
from releaser.domain.missing import Missing
from releaser.i18n import Translator, mark

_TEXTS = ("subject", "reason")


class Check(StrEnum):
    """What is looked at, most serious first."""

    END_OF_LIFE = "end-of-life"
    SECURITY_ONLY = "security-only"
    PATCH_ONLY = "patch-only"
    FREEZE = "freeze"
    BLOCKERS = "blockers"
    REVERTED = "reverted"
    MISSING_BACKPORTS = "missing-backports"
    UNKNOWN_BACKPORTS = "unknown-backports"
    MOVED_TAGS = "moved-tags"
    NO_TICKET = "no-ticket"


FINAL = frozenset({Check.END_OF_LIFE})
"""Checks that nobody can override."""
_LINE_RULES = (Check.END_OF_LIFE, Check.SECURITY_ONLY, Check.PATCH_ONLY)
_ADVICE = {
    Check.END_OF_LIFE: mark("Extend its support with `releaser line set`, or cut on a line that is supported."),
    Check.SECURITY_ONLY: mark(
        "Take it off the branch, or mark its ticket with `releaser ticket mark KEY --as security`."
    ),
    Check.PATCH_ONLY: mark("Take it off the branch, or mark its ticket with `releaser ticket mark KEY --as fix`."),
    Check.FREEZE: mark("Take it off the branch, or have an exception approved."),
    Check.BLOCKERS: mark("Land its fix, or lift the block with `releaser ticket unblock`."),
    Check.REVERTED: mark("Fix it again, or state what holds for it on this line."),
    Check.MISSING_BACKPORTS: mark(
        "Pick it to the line, or state that it will not be fixed there or does not affect it."
    ),
    Check.UNKNOWN_BACKPORTS: mark("State where the fault was found, or what holds for it on these lines."),
    Check.MOVED_TAGS: mark("Find out who moved it, then accept it with `releaser tag accept`."),
    Check.NO_TICKET: mark("Name a ticket in the message, or let the check only warn."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """An entry that landed in a freeze and has no leave; `why` is a word of `domain.freeze`."""

    commit: str
    subject: str
    tickets: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocking:
    """A ticket that blocks this cut."""

    ticket: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """A ticket whose fix was on the branch, or in the release before, and is in force no longer; `commit` took it back."""

    ticket: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A tag that moved or, without `now`, vanished; `version` is the release that it carries."""

    tag: str
    version: str
    was: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFacts:
    """Everything the gate is told of one cut. `line` is the line cut on; of a stable that is the one it makes.

    `in_force` are the tickets whose fix is in force in what is cut, of those that block or were taken back; `settled` those
    of which a person said that they do not affect this line or will not be fixed on it. `missing` and `uncertain` are fixes
    that a supported line is known, or may be, in want of.
    """

    line: str
    phase: LinePhase
    policy: LinePolicy
    is_patch: bool
    brought: Sequence[Brought] = ()
    in_force: Collection[str] = ()
    settled: Collection[str] = ()
    frozen: Sequence[Frozen] = ()
    blocking: Sequence[Blocking] = ()
    taken_back: Sequence[TakenBack] = ()
    missing: Sequence[Missing] = ()
    uncertain: Sequence[Missing] = ()
    moved: Sequence[Moved] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that speaks against a cut; `says` is a message with places for `values`."""

    check: Check
    mode: GateMode
    says: str
    values: Mapping[str, object] = field(default_factory=dict)
    ticket: str = ""
    line: str = ""
    commit: str = ""

    @property
    def holds(self) -> bool:
        """Whether it holds the cut, or is only told."""
        return self.mode is GateMode.ON

    def told(self, t: Translator) -> str:
        """The finding in one sentence."""
        return t(self.says, **self.values)

    def veiled(self, veil: Veil, told: Untold | None) -> Finding:
        """The finding as told to who must not read texts under embargo: `told` in place of a subject or a reason."""
        until = veil.until(ticket=self.ticket, commit=self.commit)
        if until is None or told is None:
            return self
        return replace(self, values={**self.values, **{name: told(until) for name in _TEXTS if name in self.values}})

    def advice(self, t: Translator) -> str:
        """What to do about it."""
        return t(_ADVICE[self.check])

    def facts(self, t: Translator) -> dict[str, Any]:
        """The finding as plain data."""
        return {
            "check": self.check.value,
            "mode": self.mode.value,
            "holds": self.holds,
            "ticket": self.ticket or None,
            "line": self.line or None,
            "commit": self.commit or None,
            "detail": self.told(t),
            "advice": self.advice(t),
        }


def modes(policy: GatePolicy) -> dict[Check, GateMode]:
    """What each check does with what it finds."""
    chosen = {check: getattr(policy, check.value.replace("-", "_")) for check in Check if check not in _LINE_RULES}
    return dict.fromkeys(_LINE_RULES, GateMode.ON) | chosen


def look(facts: GateFacts, policy: GatePolicy) -> tuple[Finding, ...]:
    """Everything that speaks against the cut, most serious first. A check that is off finds nothing."""
    return tuple(
        found
        for check, mode in modes(policy).items()
        if mode is not GateMode.OFF
        for found in _LOOKS[check](facts, mode)
    )


def _short(commit: str) -> str:
    return commit[:10]


def _end_of_life(facts: GateFacts, mode: GateMode) -> Iterator[Finding]:
    if facts.phase is LinePhase.END_OF_LIFE:
        says = mark("The life of line {line} is over: nothing is cut on it any more.")
        yield Finding(check=Check.END_OF_LIFE, mode=mode, says=says, values={"line": facts.line}, line=facts.line)


def _of_commits(check: Check, mode: GateMode, says: str, line: str, commits: Iterable[Brought]) -> Iterator[Finding]:
    for one in commits:
        values = {"line": line, "commit": _short(one.commit), "subject": one.subject}
        ticket = one.tickets[0] if one.tickets else ""
        yield Finding(check=check, mode=mode, says=says, values=values, line=line, commit=one.commit, ticket=ticket)


def _security_only(facts: GateFacts, mode: GateMode) -> Iterator[Finding]:
    if facts.phase is not LinePhase.SECURITY_ONLY:
        return
    allowed = {ChangeKind.SECURITY, ChangeKind.HOUSEKEEPING}
    wrong = (one for one in _effective(facts.brought) if one.kind not in allowed)
    says = mark("Line {line} takes security fixes only, and {commit} is none: {subject}")
    yield from _of_commits(Check.SECURITY_ONLY, mode, says, facts.line, wrong)


def _patch_only(facts: GateFacts, mode: GateMode) -> Iterator[Finding]:
    if not facts.is_patch or facts.policy is not LinePolicy.PATCH_ONLY:
        return
    features = (
        one
        for one in _effective(facts.brought)
        if one.kind is ChangeKind.FEATURE and one.standing is not Standing.REVERT
    )
    says = mark("Line {line} takes fixes only, and {commit} brings a feature: {subject}")
    yield from _of_commits(Check.PATCH_ONLY, mode, says, facts.line, features)


def _effective(brought: Iterable[Brought]) -> Iterator[Brought]:
    """What changes something for who had the release before: no merges, nothing taken back again, nothing had already."""
    return (one for one in brought if not one.is_merge and one.standing in {Standing.SHOWN, Standing.REVERT})


_WHY_FROZEN = {
    "not_planned": mark("{commit} landed in the soft freeze and is not planned for this train: {subject}"),
    "no_exception": mark("{commit} landed in the freeze without an exception: {subject}"),
    "expired": mark("{commit} landed in the freeze, and its exception no longer holds: {subject}"),
    "no_ticket": mark("{commit} landed in the freeze and names no ticket: {subject}"),
}


def _freeze(facts: GateFacts, mode: GateMode) -> Iterator[Finding]:
    for one in facts.frozen:
        says = _WHY_FROZEN.get(one.why, _WHY_FROZEN["no_exception"])
        values = {"commit": _short(one.commit), "subject": one.subject}
        ticket = one.tickets[0] if one.tickets else ""
        yield Finding(
            check=Check.FREEZE, mode=mode, says=says, values=values, ticket=ticket, commit=one.commit, line=facts.line
        )


def _blockers(facts: GateFacts, mode: GateMode) -> Iterator[Finding]:
    says = mark("{ticket} blocks this cut, says {by}: {reason}")
    for one in facts.blocking:
        if one.ticket not in facts.in_force and one.ticket not in facts.settled:
            values = {"ticket": one.ticket, "by": one.by, "reason": one.reason}
            yield Finding(check=Check.BLOCKERS, mode=mode, says=says, values=values, ticket=one.ticket, line=facts.line)


def _reverted(facts: GateFacts, mode: GateMode) -> Iterator[Finding]:
    says = mark("The fix of {ticket} was taken back by {commit}, and it is not fixed again.")
    for one in facts.taken_back:
        if one.ticket not in facts.in_force and one.ticket not in facts.settled:
            values = {"ticket": one.ticket, "commit": _short(one.commit)}
            yield Finding(
                check=Check.REVERTED,
                mode=mode,
                says=says,
                values=values,
                ticket=one.ticket,
                commit=one.commit,
                line=facts.line,
            )


def _missing_backports(facts: GateFacts, mode: GateMode) -> Iterator[Finding]:
    for one in facts.missing:
        says = (
            mark("{ticket} is fixed in {fixed_in} and missing on line {line}.")
            if one.is_released
            else mark("{ticket} is fixed on {fixed_in}, not released yet, and missing on line {line}.")
        )
        values = {"ticket": one.ticket, "fixed_in": one.fixed_in, "line": one.line}
        yield Finding(
            check=Check.MISSING_BACKPORTS, mode=mode, says=says, values=values, ticket=one.ticket, line=one.line
        )


def _unknown_backports(facts: GateFacts, mode: GateMode) -> Iterator[Finding]:
    """One for each ticket, with all the lines it may be missing on."""
    on_lines: dict[str, list[Missing]] = {}
    for one in facts.uncertain:
        on_lines.setdefault(one.ticket, []).append(one)
    for ticket, found in on_lines.items():
        says = (
            mark("{ticket} is fixed in {fixed_in}; whether it affects {lines} is not known.")
            if found[0].is_released
            else mark("{ticket} is fixed on {fixed_in}; whether it affects {lines} is not known.")
        )
        values = {"ticket": ticket, "fixed_in": found[0].fixed_in, "lines": ", ".join(one.line for one in found)}
        line = found[0].line if len(found) == 1 else ""
        yield Finding(check=Check.UNKNOWN_BACKPORTS, mode=mode, says=says, values=values, ticket=ticket, line=line)


def _moved_tags(facts: GateFacts, mode: GateMode) -> Iterator[Finding]:
    for one in facts.moved:
        says = (
            mark("The tag {tag} of release {version} is not what it was: {was}, now {now}.")
            if one.now
            else mark("The tag {tag} of release {version} is gone from the remote.")
        )
        values = {"tag": one.tag, "version": one.version, "was": _short(one.was), "now": _short(one.now)}
        yield Finding(check=Check.MOVED_TAGS, mode=mode, says=says, values=values)


def _no_ticket(facts: GateFacts, mode: GateMode) -> Iterator[Finding]:
    nameless = (one for one in facts.brought if one.standing is Standing.SHOWN and not one.is_merge and not one.tickets)
    yield from _of_commits(Check.NO_TICKET, mode, mark("{commit} names no ticket: {subject}"), facts.line, nameless)


_LOOKS = {
    Check.END_OF_LIFE: _end_of_life,
    Check.SECURITY_ONLY: _security_only,
    Check.PATCH_ONLY: _patch_only,
    Check.FREEZE: _freeze,
    Check.BLOCKERS: _blockers,
    Check.REVERTED: _reverted,
    Check.MISSING_BACKPORTS: _missing_backports,
    Check.UNKNOWN_BACKPORTS: _unknown_backports,
    Check.MOVED_TAGS: _moved_tags,
    Check.NO_TICKET: _no_ticket,
}
