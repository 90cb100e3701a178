"""The final report of a rehearsal: what of each target is ready, and what would be in the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from releaser.domain.rollout import UpdateState
from releaser.flows.ports import Facts

_READY = frozenset({UpdateState.SKIPPED, UpdateState.ALREADY_INSTALLED})


def report_rehearsal(facts: Facts, plan: Mapping[str, Any]) -> list[Facts]:
    """One entry for each target of a rollout's `facts` with steps; `plan` is its `domain.plan.Plan` as plain data.

    `ready` is None while it is not known yet; `found` is what was done and seen, `gate` what will tell that it is healthy,
    `refused` which rules would refuse the rollout itself and why, `remark` what was in the plan already (drift, an engine that
    did not answer, a way back that is closed).
    """
    planned = {(one["installation"], one["module"], one["host"]): one for one in plan["targets"]}
    refusals = plan.get("refusals") or ()
    return [
        {
            **_reported(one, planned.get((one["installation"], one["module"], one["host"]), {})),
            "refused": [
                f"{refused['rule']}: {refused['detail']} {refused['advice']}"
                for refused in refusals
                if refused["installation"] in {"", one["installation"]}
            ],
        }
        for one in facts["targets"]
    ]


def _reported(target: Facts, planned: Mapping[str, Any]) -> Facts:
    state = UpdateState(target["state"])
    done = [
        f"{step['name']}: {step['detail']}" for step in target["steps"] if step["state"] == "done" and step["detail"]
    ]
    ended = target["finished_at"] is not None
    found = target["reason"] if ended and state not in _READY else "; ".join(done)
    if state is UpdateState.ALREADY_INSTALLED:
        found = "it runs there already"
    return {
        "installation": target["installation"],
        "module": target["module"],
        "host": target["host"],
        "ready": state in _READY if ended else None,
        "found": found,
        "gate": _gate(planned),
        "planned_stop_s": target["planned_stop_s"],
        "remark": "; ".join(filter(None, (planned.get("warning"), planned.get("drift"), _one_way(planned)))),
    }


def _gate(planned: Mapping[str, Any]) -> str:
    """By what an update would be found healthy."""
    health = ((planned.get("desired") or {}).get("spec") or {}).get("health") or {}
    if health.get("http"):
        return f"{health['http']} answers {health.get('http_status', 200)}"
    if health.get("command"):
        return " ".join(health["command"])
    return f"stays up for {health.get('stay_up_for_s', 0):g} s, unless the image brings a check (weak)"


def _one_way(planned: Mapping[str, Any]) -> str:
    return f"not safe to roll back: {planned['one_way']}" if planned.get("one_way") else ""
