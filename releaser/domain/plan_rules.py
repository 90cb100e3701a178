"""Rules that refuse a part of a plan before anything is touched. Pure.

What does not live here: rules about a release's own state (`flows.select_targets`), and what a driver cannot do (its `plan`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from releaser.domain.plan import Refusal
from releaser.domain.spec import TargetSpec
from releaser.domain.version import Scheme, Version, parse
from releaser.domain.way import RequiredStop
from releaser.errors import InvalidError

NO_WAY_BACK = "no-way-back"
RETRIES = 3
"""So many checks in a row that fail are a verdict: the engine's HEALTHCHECK as we declare it, and our own probe."""


def shortest_soak_s(spec: TargetSpec) -> float:
    """Seconds that a soak needs to notice what fails: start period (ours is the deadline before it) + interval x retries."""
    health = spec.health
    # Three times 0.2 is 0.6 to people, and a little more to a computer.
    return round(health.interval_s * RETRIES, 6) if health.command or health.http else 0.0


def too_short_soak(spec: TargetSpec, *, installation: str) -> Iterator[Refusal]:
    """A soak that ends before a failing check could be noticed proves nothing. None at all is a choice, and is allowed."""
    shortest = shortest_soak_s(spec)
    if 0 < spec.soak_s < shortest:
        yield Refusal(
            rule="soak-too-short",
            detail=f"Target '{spec.name}' of '{installation}' soaks for {spec.soak_s:g} s, and its health check needs "
            f"{shortest:g} s ({RETRIES} × {spec.health.interval_s:g} s) to notice that it fails.",
            advice=f"Declare soak_s of {shortest:g} or more, check more often, or declare no soak.",
            about="soak_s",
            installation=installation,
        )


def no_way_back(
    one_ways: Sequence[RequiredStop], *, running: Version, upto: Version, installation: str
) -> Iterator[Refusal]:
    """Going back behind a version that is not safe to roll back. What `running` is may have failed there and been left."""
    one = crossed(one_ways, newer=running, older=upto)
    if one is not None:
        yield Refusal(
            rule=NO_WAY_BACK,
            detail=f"At installation '{installation}' {running} was brought up, and {one.version} is not safe to roll back: {one.reason}",
            advice=f"Roll a version out that is newer than {running.text} and mended.",
            about="version",
            installation=installation,
        )


def crossed(one_ways: Sequence[RequiredStop], *, newer: Version, older: Version) -> RequiredStop | None:
    """The version that is not safe to roll back and that a way back from the `newer` to the `older` one goes behind, if any."""
    return next((one for one in one_ways if older < one.version <= newer), None)


def why_one_way(one_ways: Sequence[RequiredStop], *, desired: str, previous: str | None, scheme: Scheme) -> str:
    """Why an update must not be rolled back behind its cutover, empty where it may: also where the way back goes behind another one.

    Where the version runs already, what it converted is converted, and the way back leads to itself.
    """
    if previous == desired:
        return ""
    newer, older = parsed(desired, scheme), parsed(previous, scheme)
    own = next((one for one in one_ways if one.version == newer), None)
    passed = crossed(one_ways, newer=newer, older=older) if newer and older else None
    found = own or passed
    return found.reason if found is not None else ""


def parsed(version: str | None, scheme: Scheme) -> Version | None:
    """What a container says that it is need not be a version of ours."""
    try:
        return parse(version, scheme=scheme) if version else None
    except InvalidError:
        return None
