"""Following a rollout until it ends: what is shown meanwhile, and the exit code of each end."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from itertools import chain
from typing import Any

from releaser.bell import Bell
from releaser.cli.exits import Exit, TerminatedError
from releaser.cli.show import expected, moment, safe, seconds, table, tell
from releaser.domain.rollout import ENDED, UPDATE_GOOD, RolloutState
from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.count_targets import count_targets
from releaser.flows.ports import Facts, Ports

LOOK_EVERY_S = 0.5
SETTLES_IN = timedelta(seconds=60)
"""How long an aborted rollout is given to undo what is not committed."""

_ENDS = {
    RolloutState.SUCCEEDED: Exit.DONE,
    RolloutState.ROLLED_BACK: Exit.ROLLED_BACK,
    RolloutState.AWAITING_APPROVAL: Exit.REFUSED,
}


_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")


class Otherwise(StrEnum):
    """What happens to a rollout that the command no longer waits for."""

    LEAVE = "leave"
    ABORT = "abort"


def of_rollout(state: RolloutState) -> Exit:
    """The exit code of a rollout that ended (or waits for approval)."""
    return _ENDS.get(state, Exit.FAILED)


def is_over(facts: Facts) -> bool:
    """Whether nothing more happens by itself."""
    state = RolloutState(facts["state"])
    return state in ENDED or state is RolloutState.AWAITING_APPROVAL


def follow(ports: Ports, bell: Bell, rollout_id: int, *, wait_for: timedelta) -> RolloutState | None:
    """Look at a rollout until it is over, and answer how it ended; None when the time is. Raises `RolloutNotFoundError`."""
    deadline = ports.clock.monotonic() + wait_for.total_seconds()
    while True:
        heard = bell.heard()
        facts = count_targets(ports, rollout_id=rollout_id)
        _show_progress(facts)
        if is_over(facts):
            return RolloutState(facts["state"])
        left = deadline - ports.clock.monotonic()
        if left <= 0:
            return None
        bell.wait(heard, min(LOOK_EVERY_S, left))


def let_go(ports: Ports, bell: Bell, rollout_id: int, *, otherwise: Otherwise, by: str, why: str, code: Exit) -> Exit:
    """Stop waiting: leave the rollout to the service, or abort it and see it undone. Answers the exit code."""
    if otherwise is Otherwise.LEAVE:
        is_paused = count_targets(ports, rollout_id=rollout_id)["state"] == RolloutState.PAUSED.value
        stands = "is paused, and waits for somebody" if is_paused else "goes on wherever a service or worker runs"
        tell(f"releaser: {why}; rollout {rollout_id} {stands}. See: releaser rollout show {rollout_id}")
        return code
    tell(f"releaser: {why}; rollout {rollout_id} is aborted.")
    abort_rollout(ports, rollout_id=rollout_id, by=by, reason=why)
    state = follow(ports, bell, rollout_id, wait_for=SETTLES_IN)
    if state is None or code is not Exit.STILL_RUNNING:
        return code
    return of_rollout(state)


@contextmanager
def interruptible() -> Iterator[list[Exit]]:
    """Keep Ctrl-C and SIGTERM from leaving at once: the list then holds the exit code that they mean."""
    interrupted: list[Exit] = []
    try:
        yield interrupted
    except KeyboardInterrupt:
        interrupted.append(Exit.INTERRUPTED)
    except TerminatedError:
        interrupted.append(Exit.TERMINATED)


def _show_progress(facts: Facts) -> None:
    """One line, rewritten, on a terminal."""
    if sys.stderr is not None and sys.stderr.isatty():
        good = sum(facts["counts"].get(state.value, 0) for state in UPDATE_GOOD)
        text = safe(f"rollout {facts['id']}: {facts['state']}, {good} of {sum(facts['counts'].values())} targets")
        sys.stderr.write(f"\r\x1b[2K{text}")
        sys.stderr.write("\n" if is_over(facts) else "")
        sys.stderr.flush()


def _remark(target: Facts) -> str:
    """Why it is as it is; of one that waits first since when, until when it may, and who ends that: reasons may be cut off."""
    if not target["waits_for"]:
        return str(target["reason"])
    since = f"since {moment(target['waiting_since_at'])}, at the latest until {moment(target['deadline_at'])}"
    return "; ".join(filter(None, (since, target["ended_by"], target["reason"])))


def rollout_text(facts: Any) -> str:  # noqa: ANN401 -- facts
    """A rollout for people."""
    kind = f"One-off for {facts['ticket']}, rollout" if facts["one_off"] else "Rollout"
    kind = "Rehearsal" if facts["rehearsal"] else kind
    title = f"{kind} {facts['id']}: {facts['product']} {facts['version']} to {facts['selector']}: {facts['state']}"
    reason = f" ({facts['reason']})" if facts["reason"] else ""
    passed = [safe(f"Passed over: {one['installation']}, {one['reason']}") for one in facts["passed"]]
    further = [safe(f"Next: {facts['next']}")] if facts.get("next") else []
    url = [facts["url"]] if facts.get("url") else []
    shown = _rehearsed(facts) or [targets_text(facts["targets"])]
    told = (_begins(facts), shown, passed, further, _late(facts), _counted(facts), url)
    return "\n".join([safe(title + reason), *chain.from_iterable(told)])


def targets_text(targets: list[Facts]) -> str:
    """Targets of a rollout for people."""
    rows = [
        (
            t["wave"],
            t["installation"],
            t["module"],
            t["from"],
            t["to"],
            t["state"] + (f"({t['waits_for']})" if t["waits_for"] else ""),
            seconds(t["planned_stop_s"]),
            expected(t["predicted"]),
            seconds(t["measured_stop_s"]),
            _remark(t),
        )
        for t in targets
    ]
    headers = ("wave", "installation", "module", "from", "to", "state", "planned", "expected", "measured", "remark")
    return table(headers, rows)


def _begins(facts: Facts) -> list[str]:
    """When a scheduled one begins, and what became of the version since."""
    begins = f"Begins {moment(facts['begins_at'])}, or not at all after {moment(facts['begin_by_at'])}."
    block = facts.get("blocked")
    told = [begins] if facts["state"] == RolloutState.SCHEDULED.value else []
    return told + (
        [safe(f"{block['version']} is blocked for line {block['line']}: {block['reason']}")] if block else []
    )


def _counted(facts: Facts) -> list[str]:
    """Whether so many targets succeeded as a pipeline asked for."""
    quorum = facts.get("quorum")
    if quorum is None:
        return []
    verdict = "reached" if quorum["reached"] else "MISSED"
    good = "are ready" if facts["rehearsal"] else "succeeded"
    return [f"Quorum {quorum['asked']} {verdict}: {quorum['good']} of {quorum['total']} targets {good}."]


def _late(facts: Facts) -> list[str]:
    return [safe(facts["late"])] if facts["late"] else []


def _rehearsed(facts: Facts) -> list[str]:
    """The final report of a rehearsal."""
    verdict = {True: "ready", False: "NOT READY", None: "not yet"}
    rows = [
        (
            one["installation"],
            one["module"],
            verdict[one["ready"]],
            seconds(one["planned_stop_s"]),
            one["gate"],
            _DIGEST.sub(r"\1…", one["found"]),
            "; ".join(filter(None, (one["remark"], *(f"REFUSED by {told}" for told in one["refused"])))),
        )
        for one in facts.get("rehearsed") or ()
    ]
    headers = ("installation", "module", "verdict", "would stop", "healthy when", "found", "remark")
    return [table(headers, rows)] if rows else []
