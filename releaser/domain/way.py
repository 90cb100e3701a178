"""The way of an upgrade: releases on it that must not be passed by, and how long it stops the service.

A **required stop** is a release that a release manager marked, with a reason (a migration that later versions no longer carry).
Whoever upgrades past it has to run it first. Going back passes none: what a stop did is undone by nobody.

The **expected downtime** of one update is the median of what earlier rollouts of the product XX Every required stop is one update more.

What does not live here: what an upgrade gains and loses (`domain.upgrade`), and a rollout's own plan (`domain.plan`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from statistics import median

from releaser.domain.version import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredStop:
    """A release that no upgrade may pass by."""

    version: Version
    reason: str


def stops_on_way(stops: Iterable[RequiredStop], since: Version, upto: Version) -> tuple[RequiredStop, ...]:
    """The stops that an upgrade has to make between the two, oldest first."""
    between = [stop for stop in stops if since < stop.version < upto]
    return tuple(sorted(between, key=lambda stop: stop.version))


class Basis(StrEnum):
    """What an expected downtime rests on."""

    MEASURED = "measured"
    STATED = "stated estimate"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleStop:
    """How long one update stops a module. `stop_for` is None where it is not known; `count` updates say so."""

    module: str
    basis: Basis
    stop_for: timedelta | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Downtime:
    """How long the service stops in all, None while it is not known of some module; `updates` are made one after the other."""

    updates: int
    modules: tuple[ModuleStop, ...]

    @property
    def stop_for(self) -> timedelta | None:
        """All modules of all updates, one after the other."""
        known = [one.stop_for for one in self.modules if one.stop_for is not None]
        if not known or len(known) < len(self.modules):
            return None
        return sum(known, timedelta(0)) * self.updates

    @property
    def basis(self) -> Basis:
        """The weakest that it rests on."""
        weakest = [Basis.UNKNOWN, Basis.STATED, Basis.MEASURED]
        return min((one.basis for one in self.modules), key=weakest.index, default=Basis.UNKNOWN)


def downtime(
    modules: Sequence[str],
    *,
    measured_s: Mapping[str, Sequence[float]],
    planned_s: Mapping[str, Sequence[float]],
    stops: int,
) -> Downtime:
    """What is expected of an upgrade with so many required stops; seconds by module, of earlier updates and of plans."""
    return Downtime(
        updates=stops + 1,
        modules=tuple(
            _module(module, measured_s.get(module, ()), planned_s.get(module, ())) for module in sorted(modules)
        ),
    )


def _module(module: str, measured_s: Sequence[float], planned_s: Sequence[float]) -> ModuleStop:
    for basis, seconds in ((Basis.MEASURED, measured_s), (Basis.STATED, planned_s)):
        if seconds:
            stop_for = timedelta(seconds=round(median(seconds), 3))
            return ModuleStop(module=module, basis=basis, stop_for=stop_for, count=len(seconds))
    return ModuleStop(module=module, basis=Basis.UNKNOWN, stop_for=None, count=0)
