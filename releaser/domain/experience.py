"""What earlier cutovers teach: how long the next one will take and stop the service, and how sure that is. Pure.

The rule: of the newest `NEWEST` cutovers by the same method, those of the narrowest group that has at least `LEAST` of them
speak. Groups from narrow to wide: module, driver and host class; module and driver; driver and host class. Where none
has enough, the stated estimate of the steps stands. A quantile is the nearest rank: the smallest measured value that at
least that share of the values does not exceed, so it is always something that really happened.

What does not live here: how a stop is measured (`targets.outside`), and what a window must hold (`domain.regulation`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from releaser.domain.spec import ContainerSpec, Cutover, Order, TargetSpec
from releaser.domain.target import DriverName

LEAST = 3
"""So few cutovers say nothing yet."""
NEWEST = 50
"""So many of a group count at most: what was long ago says little."""
_LEAST_STOP = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)


class Witness(StrEnum):
    """Who says how long the service was away: a probe from outside, or the health gate and the journal."""

    OUTSIDE = "outside"
    GATE = "gate"


class Basis(StrEnum):
    """What a prediction rests on, narrowest first."""

    MODULE_HOST = "module, driver and host class"
    MODULE = "module and driver"
    DRIVER_HOST = "driver and host class"
    STATED = "stated estimate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What makes two cutovers comparable. `module` is `product/module`, `method` how the one is handed over to the next."""

    module: str
    driver: DriverName
    host_class: str
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One cutover that happened, in seconds. None: not measured, or did not happen.

    `cutover_s` is from its begin to the first good look, `stop_s` how long the service was away, `rollback_s` how long going back
    took.
    """

    kind: Kind
    cutover_s: float | None = None
    stop_s: float | None = None
    rollback_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The median and what nine of ten did not exceed, of `samples` cutovers; of none it is the stated estimate."""

    p50: timedelta
    p90: timedelta
    samples: int = 0
    basis: Basis = Basis.STATED


NOTHING = Figures(p50=timedelta(0), p90=timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What to expect of one cutover: how long it takes, how long the service is away, and how long going back takes."""

    cutover: Figures = NOTHING
    stop: Figures = NOTHING
    rollback: Figures = NOTHING

    @property
    def needs(self) -> timedelta:
        """What a window must hold: the cutover and the way back, each as long as nine of ten."""
        return max(self.cutover.p90, self.stop.p90, _LEAST_STOP) + max(self.rollback.p90, _LEAST_STOP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """The estimates that steps state of themselves: until somebody measured, they are all there is."""

    cutover: timedelta = timedelta(0)
    stop: timedelta = timedelta(0)
    rollback: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Experience:
    """Cutovers that happened, newest first, ready to be asked many times."""

    samples: Sequence[Sample] = ()
    _known: dict[tuple[Kind, str], Figures | None] = field(default_factory=dict, compare=False, repr=False)

    def predict(self, kind: Kind, *, stated: Stated) -> Prediction:
        """What to expect of the next cutover of that kind."""
        return Prediction(
            cutover=self._figures(kind, "cutover_s", stated.cutover),
            stop=self._figures(kind, "stop_s", stated.stop),
            rollback=self._figures(kind, "rollback_s", stated.rollback),
        )

    def _figures(self, kind: Kind, name: str, stated: timedelta) -> Figures:
        if (kind, name) not in self._known:
            self._known[kind, name] = self._measured(kind, name)
        return self._known[kind, name] or Figures(p50=stated, p90=stated)

    def _measured(self, kind: Kind, name: str) -> Figures | None:
        """Of the narrowest group that has enough; None where none has."""
        of_method = [s for s in self.samples if (s.kind.driver, s.kind.method) == (kind.driver, kind.method)]
        for basis, belongs in _GROUPS:
            values = [getattr(s, name) for s in of_method if belongs(s.kind, kind)]
            known = [value for value in values if value is not None][:NEWEST]
            if len(known) >= LEAST:
                return Figures(
                    p50=timedelta(seconds=quantile(known, 0.5)),
                    p90=timedelta(seconds=quantile(known, 0.9)),
                    samples=len(known),
                    basis=basis,
                )
        return None


_GROUPS: tuple[tuple[Basis, Callable[[Kind, Kind], bool]], ...] = (
    (Basis.MODULE_HOST, lambda one, of: (one.module, one.host_class) == (of.module, of.host_class)),
    (Basis.MODULE, lambda one, of: one.module == of.module),
    (Basis.DRIVER_HOST, lambda one, of: one.host_class == of.host_class),
)


def quantile(values: Iterable[float], share: float) -> float:
    """The nearest rank: the smallest of `values` (at least one) that `share` of them do not exceed; 0 < share <= 1."""
    ordered = sorted(values)
    # Rounded first: 0.9 of 10 is 9, whatever floating point makes of it.
    return ordered[max(0, math.ceil(round(share * len(ordered), 9)) - 1)]


def class_of_host(address: str, *, stated: str = "") -> str:
    """The class a host is compared within: the one stated, else the kind of its address, such as `ssh`."""
    return stated or urlsplit(address).scheme or "none"


def method_of(spec: TargetSpec) -> str:
    """How one is handed over to the next: what decides most how long the service is away."""
    if not isinstance(spec, ContainerSpec):
        return spec.order.value
    if spec.front is not None:
        return Cutover.FRONT.value
    return spec.order.value if spec.order is Order.START_FIRST else spec.cutover.value


def told_stop(stop: timedelta) -> timedelta:
    """A predicted stop as customers are told it: rounded up to whole seconds, and beyond a minute to whole minutes."""
    unit = _MINUTE if stop > _MINUTE else timedelta(seconds=1)
    return -(-stop // unit) * unit
