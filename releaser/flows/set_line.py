"""State a line's policy, phase or dates; who stated what when is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy.orm import Session

from releaser.domain.line import LinePhase, LinePolicy, checked_support
from releaser.domain.version import line_named
from releaser.errors import InvalidError
from releaser.flows.list_lines import show_line
from releaser.flows.ports import Facts, Ports
from releaser.store import declared, lines, products


class Unset(StrEnum):
    """What is given for something that shall stay as it is."""

    UNSET = "unset"


KEEP = Unset.UNSET


class NothingStatedError(InvalidError):
    """Nothing is said of the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What to state; `KEEP` leaves it as it is, None takes back what was stated: the product's rule holds again."""

    policy: LinePolicy | Unset | None = KEEP
    phase: LinePhase | Unset | None = KEEP
    maintained_until_on: date | Unset | None = KEEP
    supported_until_on: date | Unset | None = KEEP


_FIELDS = ("policy", "phase", "maintained_until_on", "supported_until_on")


def set_line(ports: Ports, *, product: str, line: str, stated: Stated, by: str) -> Facts:
    """State it, and tell the line as it stands then; `unchanged` when all of it stood already.

    A line can be spoken of before it has a release. Customers of a line whose end comes near are told by the worker.
    Raises `ProductNotFoundError`, `InvalidVersionError`, `InvalidSupportError`, `NothingStatedError`.
    """
    given = {name: value for name in _FIELDS if (value := getattr(stated, name)) is not KEEP}
    if not given:
        raise NothingStatedError(
            "Nothing is stated of the line.", advice="Give a policy, a phase or a date.", field="line"
        )
    with ports.database.transaction() as session:
        row = products.get(session, product)
        name = line_named(line, scheme=row.scheme)
        kept = lines.row(session, row, name)
        old = {one: getattr(kept, one) for one in given}
        for one, value in given.items():
            setattr(kept, one, value)
        checked_support(maintained_until_on=kept.maintained_until_on, supported_until_on=kept.supported_until_on)
        changed = [(f"lines.{name}.{one}", old[one], value) for one, value in given.items() if old[one] != value]
        _remember(session, ports, row.name, changed, by=by)
    if changed:
        ports.wake()
    return {**show_line(ports, product=product, line=name), "unchanged": not changed}


def _remember(
    session: Session, ports: Ports, product: str, changed: list[tuple[str, object, object]], *, by: str
) -> None:
    if changed:
        declared.remember_change(session, product, changed, now=ports.clock.now(), by=by)
