"""A rollout as it stands, with its journal and its moves."""

from __future__ import annotations

from releaser.domain.consent import Agreement
from releaser.domain.next_deed import next_deed
from releaser.domain.release import ReleaseState
from releaser.domain.rollout import RolloutState, UpdateState, WaitsFor
from releaser.flows.find_consents import find_consents
from releaser.flows.pause_release import rolls_out
from releaser.flows.ports import Facts, Ports
from releaser.flows.report_rehearsal import report_rehearsal
from releaser.store import blocks, moves, notices, rollout_facts, rollout_view, rollouts, update_freezes


def show_rollout(ports: Ports, *, rollout_id: int) -> Facts:
    """The facts of a rollout with `steps` per target, `moves` and `notices`. Raises `RolloutNotFoundError`."""
    with ports.database.reading() as session:
        rollout = rollouts.get(session, rollout_id)
        facts = rollout_facts.of_rollout(rollout)
        journals = rollout_view.steps(session, [one["id"] for one in facts["targets"]], every_attempt=True)
        for target in facts["targets"]:
            journal = journals.get(target["id"], [])
            target["steps"] = [{k: v for k, v in step.items() if k != "update_id"} for step in journal]
        facts["rehearsed"] = report_rehearsal(facts, rollout.plan) if rollout.rehearsal else None
        facts["moves"] = [
            {"from": m.source, "to": m.to, "at": m.at, "by": m.by, "reason": m.reason}
            for m in moves.history(session, "rollouts", rollout_id)
        ]
        facts["consents"] = find_consents(session, rollout_id=rollout_id)
        facts["overrides"] = update_freezes.overrides(session, rollout_id)
        block = blocks.standing(session, rollout.release_id)
        facts["blocked"] = blocks.facts(block) if block else None
        facts["notices"] = [notice.id for notice in notices.of_rollout(session, rollout_id)]
        goes_on = rollout.state is RolloutState.PAUSED and not rolls_out(rollout)
        is_yanked = rollout.release.state is ReleaseState.YANKED
        facts["next"] = _next(facts, yanked=is_yanked, goes_on=goes_on) or _anew(
            facts, rollouts.heir(session, rollout_id)
        )
        return facts


def _next(facts: Facts, *, yanked: bool, goes_on: bool) -> str:
    """What a person can do next; whether it is yanked or blocked is nothing to what `goes_on` all the same."""
    return next_deed(
        rollout=facts["id"],
        state=RolloutState(facts["state"]),
        targets=[(t["installation"], UpdateState(t["state"]), t["reason"]) for t in facts["targets"]],
        again=f"releaser deploy {facts['product']} {facts['version']} --to {facts['selector']}",
        blocked=facts["blocked"] is not None and not goes_on,
        yanked=yanked and not goes_on,
        asked=[c["customer"] for c in facts["consents"] if c["stands"] == Agreement.MISSING and c["is_waited_for"]],
        away=[t["installation"] for t in facts["targets"] if t["waits_for"] == WaitsFor.OFFLINE],
    )


def _anew(facts: Facts, heir: tuple[int, RolloutState] | None) -> str:
    """What gave way is not tried again; where that was for nothing, what is left is for a new rollout."""
    if heir is None or heir[1] is not RolloutState.ABORTED or facts["state"] != RolloutState.SUPERSEDED:
        return ""
    deploy = f"releaser deploy {facts['product']} {facts['version']} --to {facts['selector']}"
    return f"Rollout {heir[0]}, which took its place, was aborted. Where {facts['version']} is still wanted: {deploy}."
