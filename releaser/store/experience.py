"""What every cutover took: kept for as long as its module, so that the next one can be predicted.

What does not live here: how a prediction follows from it (`domain.experience`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.experience import Experience, Figures, Kind, Prediction, Sample, Witness
from releaser.domain.rollout import UpdateState
from releaser.domain.target import DriverName
from releaser.store.base import Base, words
from releaser.store.customers import Customer
from releaser.store.installations import Host, Installation, Target
from releaser.store.products import Module, Product

_OF_MODULES = 1000
_OF_DRIVERS = 500


class Cutover(Base):
    """One cutover that was begun and ended: how long it took, how long the service was away, and how long going back took.

    `stop_s` is by `witness`. `rollback_s` is None where nothing was rolled back.
    """

    __tablename__ = "cutovers"
    __table_args__ = (
        Index("ix_cutovers_module", "module_id", "id"),
        Index("ix_cutovers_driver", "driver", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollouts.id"), index=True)
    module_id: Mapped[int] = mapped_column(ForeignKey("modules.id"))
    driver: Mapped[DriverName] = mapped_column(words(DriverName))
    host_class: Mapped[str] = mapped_column(String(40))
    method: Mapped[str] = mapped_column(String(40))
    outcome: Mapped[UpdateState] = mapped_column(words(UpdateState))
    at: Mapped[datetime]
    cutover_s: Mapped[float | None]
    stop_s: Mapped[float | None]
    rollback_s: Mapped[float | None]
    witness: Mapped[Witness] = mapped_column(words(Witness))


def samples(session: Session, *, modules: Collection[int], drivers: Collection[DriverName]) -> Experience:
    """The newest cutovers of these modules, and of these drivers for want of them."""
    query = (
        select(Cutover, Product.name.label("product"), Module.name.label("module"))
        .join(Module, Module.id == Cutover.module_id)
        .join(Product, Product.id == Module.product_id)
        .order_by(Cutover.id.desc())
    )
    found: dict[int, Sample] = {}
    for condition, limit in (
        (Cutover.module_id.in_(list(modules)), _OF_MODULES),
        (Cutover.driver.in_(list(drivers)), _OF_DRIVERS),
    ):
        for row, product, module in session.execute(query.where(condition).limit(limit)):
            found[row.id] = _sample(row, f"{product}/{module}")
    return Experience([found[number] for number in sorted(found, reverse=True)])


@dataclass(frozen=True, slots=True)
class TargetRow:
    """What of a target decides with which cutovers it is compared, and its customer's contract."""

    id: int
    module_id: int
    driver: DriverName
    address: str
    host_class: str
    zone: str
    regulation: dict[str, Any]


_TARGETS = (
    select(
        Target.id,
        Target.module_id,
        Target.driver,
        Host.address,
        Host.host_class,
        Customer.zone,
        Customer.regulation,
    )
    .join(Host, Host.id == Target.host_id)
    .join(Installation, Installation.id == Target.installation_id)
    .join(Customer, Customer.id == Installation.customer_id)
)
_AT_ONCE = 500


def targets(session: Session, ids: Sequence[int]) -> dict[int, TargetRow]:
    """These targets by their numbers."""
    found: dict[int, TargetRow] = {}
    for start in range(0, len(ids), _AT_ONCE):
        query = _TARGETS.where(Target.id.in_(list(ids[start : start + _AT_ONCE])))
        found |= {row.id: TargetRow(*row) for row in session.execute(query)}
    return found


def _sample(row: Cutover, module: str) -> Sample:
    """What failed says how long going back takes, and nothing of how long an update stops that does not."""
    good = row.outcome is UpdateState.SUCCEEDED
    return Sample(
        kind=Kind(module=module, driver=row.driver, host_class=row.host_class, method=row.method),
        cutover_s=row.cutover_s if good else None,
        stop_s=row.stop_s if good else None,
        rollback_s=row.rollback_s,
    )


def newest(
    session: Session,
    *,
    limit: int = 50,
    offset: int = 0,
    product_id: int | None = None,
    module: str | None = None,
) -> list[dict[str, Any]]:
    """Cutovers as plain data, newest first."""
    query = (
        select(Cutover, Product.name, Module.name)
        .join(Module, Module.id == Cutover.module_id)
        .join(Product, Product.id == Module.product_id)
        .order_by(Cutover.id.desc())
        .limit(limit)
        .offset(offset)
    )
    if product_id is not None:
        query = query.where(Product.id == product_id)
    if module is not None:
        query = query.where(Module.name == module)
    return [
        {
            "rollout": row.rollout_id,
            "product": product,
            "module": module_name,
            "driver": row.driver.value,
            "host_class": row.host_class,
            "method": row.method,
            "outcome": row.outcome.value,
            "at": row.at,
            "cutover_s": row.cutover_s,
            "stop_s": row.stop_s,
            "rollback_s": row.rollback_s,
            "witness": row.witness.value,
        }
        for row, product, module_name in session.execute(query)
    ]


def prediction_facts(predicted: Prediction) -> dict[str, Any]:
    """What is expected as plain data: the one shape that commands and the API show."""
    return {
        "cutover": _figures(predicted.cutover),
        "stop": _figures(predicted.stop),
        "rollback": _figures(predicted.rollback),
        "needs_s": seconds(predicted.needs),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "p50_s": seconds(figures.p50),
        "p90_s": seconds(figures.p90),
        "samples": figures.samples,
        "basis": figures.basis.value,
    }


def seconds(span: timedelta | None) -> float | None:
    """A span as the columns keep it: seconds to the millisecond, never below 0."""
    return None if span is None else round(max(0.0, span.total_seconds()), 3)
