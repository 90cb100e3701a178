"""Ask a service where its users do: what is well by itself, and is not answered there, is not well."""

from __future__ import annotations

from dataclasses import replace

from releaser.domain.advance import SAYS_NOTHING
from releaser.domain.target import Assignment, Health, Verdict
from releaser.flows.ports import Ports
from releaser.targets.watch import outside_address


def ask_outside(ports: Ports, assignment: Assignment, verdict: Verdict, *, answered: bool) -> Verdict:
    """The verdict of the gate at the end of a way forward, after one more question where `health.outside` is declared.

    `answered`: whether it was seen to answer there before. Where it was not, nobody can tell what is behind the cutover from what
    never was reached from here (an address that is wrong, a front that asks elsewhere): the gate stays shut all the same, but
    nothing is held against the version.
    """
    health = assignment.desired.spec.health
    url = outside_address(assignment.desired.spec, address=assignment.address) if health.outside else ""
    if verdict.health is not Health.HEALTHY or not url:
        return verdict
    told = ports.watch.ask(url, status=health.http_status, timeout_s=health.timeout_s)
    if not told:
        return verdict
    before = "it did before" if answered else f"nor was it seen to answer before, {SAYS_NOTHING}"
    return replace(verdict, health=Health.STARTING, reason=f"from outside: {told}; {before}")
