"""What the pages of rollouts say by table: what a rollout needs next, what is waited for and who ends that, what steering does.

A state, a wait or a reason that is not known here is told by its own name: newer services may know more of them.
"""

from __future__ import annotations

from releaser.domain.rollout import AT_WORK, UPDATE_ENDED, UPDATE_FAILED, UPDATE_GOOD
from releaser.i18n import Translator, mark
from releaser.web.pages.words import word_of

_NEXT = {
    "draft": mark("It is not planned yet."),
    "planned": mark("Somebody starts it, after what it stops was announced."),
    "awaiting_approval": mark("Somebody other than its author has to approve the plan."),
    "scheduled": mark("Nothing: it begins by itself at its time."),
    "running": mark("Nothing: it goes on by itself."),
    "paused": mark("Somebody lets it go on, or aborts it."),
    "paused_threshold": mark("Look at what failed below; then let it go on, or abort it."),
    "paused_gate": mark("Look at how the wave does; then let it go on, or abort it."),
    "paused_freeze": mark("It goes on after the freeze; a release manager may override it with a reason."),
    "stopping": mark("Nothing: what was begun is undone or finished by itself."),
    "rolling_back": mark("Nothing: the state before is brought back by itself."),
    "failed": mark("Look at what failed below; then try it again, or roll out another version."),
    "rolled_back": mark("Look at what failed below; then try it again, or roll out another version."),
    "inconsistent": mark(
        "Look at the hosts of what needs a person: bring the service up there or remove it, then roll out again."
    ),
    "left": mark(
        "Leave what runs where a person is needed, for it is not safe to roll back: release a mended version with a higher number and roll it out there."
    ),
    "aborted": mark("What is left is rolled out anew."),
    "superseded": mark("Nothing: a newer rollout took its place."),
    "superseded_aborted": mark("What took its place was aborted: what is left is rolled out anew."),
    "succeeded": mark("Nothing: everything is done."),
    "rehearsed": mark("Nothing was cut over; the rollout itself can be started."),
}
_WAITS = {
    "window": mark("the window to open"),
    "notice": mark("an announced notice"),
    "freeze": mark("the freeze to end"),
    "lock": mark("another rollout there to end"),
    "offline": mark("the host to come back"),
    "consent": mark("the customer's consent"),
}
_ENDED_BY = {
    "window": mark("it opens by itself"),
    "notice": mark("a release manager announces the notice, or its start comes"),
    "freeze": mark("it ends by itself, or a release manager overrides it with a reason"),
    "lock": mark("it goes on by itself when the other one ends"),
    "offline": mark("an operator brings the host back"),
    "consent": mark("somebody records what the customer said"),
}
_STEER = {
    "approve": mark("Approve"),
    "resume": mark("Let it go on"),
    "retry": mark("Try again"),
    "pause": mark("Pause"),
    "abort": mark("Abort"),
}
_DOES = {
    "approve": mark("Starts the plan as it is shown; a plan that changed meanwhile is refused."),
    "resume": mark("The next targets are begun."),
    "retry": mark("A new attempt for every target that failed, was rolled back or skipped."),
    "pause": mark("Targets at hand are finished, none is begun."),
    "abort": mark("What is not committed is undone, what is done stays, nothing more is begun."),
}
_MAY = {
    "approve": mark("a release manager other than the author"),
    "resume": mark("a release manager or the specialist on call"),
    "retry": mark("a release manager or the specialist on call"),
    "pause": mark("a release manager or the specialist on call"),
    "abort": mark("a release manager or the specialist on call"),
}
_RANKS = {
    "bad": mark("failed"),
    "work": mark("at work"),
    "wait": mark("waiting"),
    "todo": mark("not begun"),
    "good": mark("done"),
    "past": mark("skipped"),
}
RANKS = tuple(_RANKS)
_GOOD, _BAD = {s.value for s in UPDATE_GOOD}, {s.value for s in UPDATE_FAILED}
_WORK, _PAST = {s.value for s in AT_WORK}, {s.value for s in UPDATE_ENDED}


def rank_of(state: str) -> str:
    """How a target stands, in one of six: what failed, is at work, waits, has not begun, is done, or was passed over."""
    if state in _BAD:
        return "bad"
    if state in _GOOD:
        return "good"
    if state in _WORK:
        return "work"
    if state == "pending":
        return "todo"
    return "past" if state in _PAST else "wait"


def rank_word(rank: str, t: Translator) -> str:
    """A rank in the reader's words."""
    return t(_RANKS[rank])


def next_of(
    state: str,
    t: Translator,
    *,
    pause_reason: str | None = None,
    heir: str | None = None,
    inconsistent: int = 0,
    has_left: bool = False,
) -> str:
    """What has to happen next, and that nothing has to where it goes on by itself. `heir` is the state of what took its place."""
    if inconsistent and state in {"failed", "rolled_back", "aborted", "paused"}:
        return t(_NEXT["left" if has_left else "inconsistent"])
    found = _NEXT.get(f"{state}_{pause_reason or heir}") or _NEXT.get(state)
    return t(found) if found else t("It is “{state}”: this page does not know what that asks for.", state=state)


def waits_of(what: str | None, t: Translator) -> str:
    """What is waited for."""
    if not what:
        return t("something that was not said")
    return t(_WAITS[what]) if what in _WAITS else word_of(what, t)


def ended_by(what: str | None, t: Translator) -> str:
    """Who or what ends a wait; empty where nobody knows."""
    return t(_ENDED_BY[what]) if what in _ENDED_BY else ""


def steer_word(steer: str, t: Translator) -> str:
    """The name of a button."""
    return t(_STEER[steer])


def steer_does(steer: str, t: Translator) -> str:
    """What asking for it does."""
    return t(_DOES[steer])


def who_may(steer: str, t: Translator) -> str:
    """Who may ask for it."""
    return t(_MAY[steer])


_BEGUN = {
    "paused": mark("Resumed by {who}: {reason}"),
    "awaiting_approval": mark("Approved by {who}: {reason}"),
    **dict.fromkeys(("failed", "rolled_back", "aborted", "succeeded"), mark("Begun again by {who}: {reason}")),
}


def begun_words(source: str, who: str, reason: str, t: Translator) -> str:
    """Why a rollout runs, by the state that somebody let it run from."""
    if not who or who == "releaser" or source not in _BEGUN:
        return reason
    return t(_BEGUN[source], who=who, reason=reason)
