"""The states of everything in a reader's words, and the tone in which a page shows them.

A tone is one of five: `good` (done, runs), `busy` (under way), `wait` (somebody or something is awaited), `bad` (failed,
needs a person), `calm` (over, or not begun). What does not live here: reasons and steps (`reasons`).
"""

from __future__ import annotations

from releaser.i18n import Translator, mark

_WORDS = {
    "cutting": mark("being cut"),
    "candidate": mark("candidate"),
    "promoted": mark("promoted"),
    "published": mark("published"),
    "yanked": mark("yanked"),
    "abandoned": mark("abandoned"),
    "planned": mark("planned"),
    "awaiting_approval": mark("awaiting approval"),
    "running": mark("running"),
    "paused": mark("paused"),
    "rolling_back": mark("rolling back"),
    "stopping": mark("stopping"),
    "succeeded": mark("succeeded"),
    "failed": mark("failed"),
    "rolled_back": mark("rolled back"),
    "aborted": mark("aborted"),
    "superseded": mark("superseded"),
    "pending": mark("not begun"),
    "skipped": mark("skipped"),
    "preparing": mark("preparing"),
    "prepared": mark("prepared"),
    "waiting": mark("waiting"),
    "cutting_over": mark("cutting over"),
    "verifying": mark("verifying"),
    "soaking": mark("soaking"),
    "committing": mark("committing"),
    "already_installed": mark("already installed"),
    "inconsistent": mark("needs a person"),
    "draft": mark("draft"),
    "announced": mark("announced"),
    "in_progress": mark("in progress"),
    "completed": mark("completed"),
    "cancelled": mark("cancelled"),
    "queued": mark("queued"),
    "sent": mark("sent"),
    "given_up": mark("given up"),
    "new": mark("new"),
    "triaged": mark("triaged"),
    "waiting_customer": mark("waiting for the customer"),
    "solution_provided": mark("solution provided"),
    "closed": mark("closed"),
    "reopened": mark("reopened"),
    "stable": mark("stable"),
    "patch": mark("patch"),
    "none": mark("no stop"),
    "partial": mark("partial stop"),
    "full": mark("full stop of service"),
    "no_impact": mark("no impact"),
    "reduced_redundancy": mark("reduced redundancy"),
    "degraded": mark("degraded service"),
    "outage": mark("outage"),
    "window": mark("the window to open"),
    "notice": mark("an announced notice"),
    "offline": mark("the host to come back"),
    "manual": mark("by hand"),
    "threshold": mark("too many failures"),
    "intent": mark("under way"),
    "done": mark("done"),
    "development": mark("in development"),
    "maintained": mark("maintained"),
    "security-only": mark("security fixes only"),
    "end-of-life": mark("end of life"),
    "patch-only": mark("fixes only"),
    "confirmed": mark("confirmed"),
    "by_rule": mark("by rule"),
    "withdrawn": mark("withdrawn"),
    "duplicate": mark("duplicate"),
    "started": mark("started"),
    "revised": mark("revised"),
    "unaffected": mark("unaffected"),
    "affected": mark("affected"),
    "fixed": mark("fixed"),
    "verified": mark("verified"),
    "wontfix": mark("will not be fixed"),
    "unknown": mark("unknown"),
    "measured": mark("measured"),
    "stated estimate": mark("a stated estimate"),
    "not known": mark("not known"),
    "found_in": mark("found in"),
    "planned_for": mark("planned for"),
    "via_self": mark("the commit itself"),
    "via_pick": mark("a copy of the fix"),
    "via_ticket": mark("another commit of the ticket"),
    "relation_fixes": mark("says that it fixes it"),
    "relation_refs": mark("only mentions it"),
    "layer_trailer": mark("its message says so"),
    "layer_patch-id": mark("the same change of the same files"),
    "layer_authorship": mark("the same author, date and subject"),
    "layer_ticket": mark("the same ticket only"),
    "scheduled": mark("scheduled"),
    "moved": mark("moved"),
    "shifted": mark("shifted"),
    "expected": mark("not certain"),
    "late": mark("late"),
    "left": mark("left"),
    "missed": mark("without a release"),
    "open": mark("not frozen"),
    "branch_point": mark("branch point"),
    "soft_freeze": mark("soft freeze"),
    "freeze": mark("freeze"),
    "thaw": mark("thaw"),
    "holds": mark("in force"),
    "expired": mark("expired"),
    "revoked": mark("revoked"),
    "not_planned": mark("not planned for this train"),
    "no_exception": mark("no exception"),
    "no_ticket": mark("names no ticket"),
}

_TONES = {
    "good": "published succeeded already_installed completed sent closed done maintained fixed verified confirmed "
    "solution_provided unaffected holds thaw left",
    "busy": "running cutting_over verifying soaking committing preparing prepared in_progress cutting rolling_back "
    "stopping intent started",
    "wait": "awaiting_approval paused waiting announced candidate promoted queued waiting_customer reopened security-only "
    "degraded partial moved shifted expected late soft_freeze freeze",
    "bad": "failed yanked inconsistent rolled_back given_up outage full affected aborted",
}
_TONE_OF = {state: tone for tone, states in _TONES.items() for state in states.split()}


def word_of(state: str, t: Translator) -> str:
    """The state in the reader's words; one that has none is shown as it is."""
    return t(_WORDS[state]) if state in _WORDS else state.replace("_", " ")


def tone_of(state: str) -> str:
    """The tone of a state."""
    return _TONE_OF.get(state, "calm")
