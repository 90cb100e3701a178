"""What workers ask and write many times a second: looks at rollouts, claims of updates, steps done.

Looks read columns instead of entities, because they mostly find nothing to do. Statements are put together once, which
costs as much as carrying them out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Interval, Table, Update, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session, defer, joinedload, lazyload
from sqlalchemy.orm.attributes import set_committed_value

from releaser.domain.rollout import AT_WORK, BEING_CUT_OVER, RolloutState, UpdateState, WaitsFor, WaveState
from releaser.domain.rollout_moves import current_wave
from releaser.domain.target import DriverName
from releaser.store import leases
from releaser.store.customers import Customer
from releaser.store.installations import Host, Installation, Target
from releaser.store.products import Module, Product
from releaser.store.rollouts import Rollout, TargetUpdate, Wave


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRow:
    """A rollout's own columns, its product's name, its waves' states by number, until when each is watched and when it was.

    What is limited by the wave is the present one's.
    """

    state: RolloutState
    product: str
    max_parallel: int
    threshold: int
    wait_s: float
    wave_soak_s: float
    gated: bool
    waves: Mapping[int, WaveState]
    soak_until_at: Mapping[int, datetime | None]
    looked_at: Mapping[int, datetime | None]
    rehearsal: bool = False
    gives_way: bool = False
    begins_at: datetime | None = None
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UpdateRow:
    """One update with what its cutover may wait for. `steps` are `domain.target.Step` as plain data, `predicted` likewise."""

    id: int
    wave: int
    position: int
    state: UpdateState
    waits_for: WaitsFor | None
    reason: str
    deadline_at: datetime | None
    steps: Sequence[dict[str, Any]]
    predicted: dict[str, Any] | None
    installation_id: int
    installation: str
    module: str
    customer: str
    zone: str
    regulation: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NamedTarget:
    """A target's driver, and the names that its installation, its module and its host go by; `address` is the host's."""

    driver: DriverName
    installation: str
    module: str
    host: str
    address: str


_AT_ONCE = 500
_MOST_KNOWN = 100
_OPTIONS_OF: WeakKeyDictionary[Engine, dict[tuple[int, str], dict[str, Any]]] = WeakKeyDictionary()
_PLAN_HASH = select(Rollout.plan_hash).where(Rollout.id == bindparam("rollout_id"))
_OPTIONS = select(Rollout.plan["options"]).where(Rollout.id == bindparam("rollout_id"))
_TARGET_ALONE = [lazyload(Target.installation), lazyload(Target.module)]
_IN_STATES = select(Rollout.id).where(Rollout.state.in_(bindparam("states", expanding=True))).order_by(Rollout.id)
_ROLLOUT = (
    select(
        Rollout.state,
        Rollout.max_parallel,
        Rollout.threshold,
        Rollout.wait_s,
        Rollout.wave_soak_s,
        Rollout.gated,
        Rollout.rehearsal,
        Rollout.superseded_by_id,
        Rollout.begins_at,
        Rollout.started_at,
        Product.name.label("product"),
        Wave.number,
        Wave.state.label("wave_state"),
        Wave.soak_until_at,
        Wave.looked_at,
        Wave.max_parallel.label("wave_max_parallel"),
        Wave.threshold.label("wave_threshold"),
    )
    .join(Product, Product.id == Rollout.product_id)
    .join(Wave, Wave.rollout_id == Rollout.id, isouter=True)
    .where(Rollout.id == bindparam("rollout_id"))
    .order_by(Wave.number)
)
_UPDATES = (
    select(
        TargetUpdate.id,
        TargetUpdate.wave,
        TargetUpdate.position,
        TargetUpdate.state,
        TargetUpdate.waits_for,
        TargetUpdate.reason,
        TargetUpdate.deadline_at,
        TargetUpdate.steps,
        TargetUpdate.predicted,
        Target.installation_id,
        Installation.name,
        Module.name,
        Customer.name,
        Customer.zone,
        Customer.regulation,
    )
    .join(Target, Target.id == TargetUpdate.target_id)
    .join(Module, Module.id == Target.module_id)
    .join(Installation, Installation.id == Target.installation_id)
    .join(Customer, Customer.id == Installation.customer_id)
    .where(
        TargetUpdate.rollout_id == bindparam("rollout_id"),
        TargetUpdate.state.in_(bindparam("states", expanding=True)),
    )
    .order_by(TargetUpdate.position)
)
_OF_WAVE = _UPDATES.where(TargetUpdate.wave == bindparam("wave"), TargetUpdate.position > bindparam("after"))
_COUNTS = (
    select(TargetUpdate.wave, TargetUpdate.state, func.count())
    .where(TargetUpdate.rollout_id == bindparam("rollout_id"))
    .group_by(TargetUpdate.wave, TargetUpdate.state)
)
_ALONE = (
    select(TargetUpdate)
    .where(TargetUpdate.id == bindparam("of"))
    .options(lazyload(TargetUpdate.target))
    .with_for_update(key_share=True)
)
_NAMED = (
    select(Target.driver, Installation.name, Module.name, Host.name, Host.address)
    .join(Installation, Installation.id == Target.installation_id)
    .join(Module, Module.id == Target.module_id)
    .join(Host, Host.id == Target.host_id)
    .where(Target.id == bindparam("target_id"))
)
_WHEREABOUTS = (
    select(Host.address, TargetUpdate.state)
    .join(Target, Target.host_id == Host.id)
    .join(TargetUpdate, TargetUpdate.target_id == Target.id)
    .where(TargetUpdate.id == bindparam("of"))
)
_WITH_NAMES = (
    joinedload(TargetUpdate.target, innerjoin=True)
    .joinedload(Target.installation, innerjoin=True)
    .options(joinedload(Installation.customer, innerjoin=True), lazyload(Installation.product))
)


def in_states(session: Session, *states: RolloutState) -> Sequence[int]:
    """Ids of the rollouts in one of `states`, oldest first."""
    return session.scalars(_IN_STATES, {"states": list(states)}).all()


def rollout(session: Session, rollout_id: int) -> RolloutRow | None:
    """The rollout of that number, or None."""
    rows = session.execute(_ROLLOUT, {"rollout_id": rollout_id}).all()
    if not rows:
        return None
    first = rows[0]
    waves = {row.number: row.wave_state for row in rows if row.number is not None}
    wave = current_wave(waves)
    at_hand = next((row for row in rows if row.number == wave), first)
    return RolloutRow(
        state=first.state,
        product=first.product,
        wait_s=first.wait_s,
        wave_soak_s=first.wave_soak_s,
        gated=first.gated,
        soak_until_at={row.number: row.soak_until_at for row in rows if row.number is not None},
        looked_at={row.number: row.looked_at for row in rows if row.number is not None},
        max_parallel=first.max_parallel if at_hand.wave_max_parallel is None else at_hand.wave_max_parallel,
        threshold=first.threshold if at_hand.wave_threshold is None else at_hand.wave_threshold,
        waves=waves,
        rehearsal=first.rehearsal,
        gives_way=first.superseded_by_id is not None,
        begins_at=first.begins_at,
        started_at=first.started_at,
    )


def counts(session: Session, rollout_id: int) -> dict[int, dict[UpdateState, int]]:
    """How many updates of each wave are in which state."""
    found: dict[int, dict[UpdateState, int]] = defaultdict(dict)
    for wave, state, count in session.execute(_COUNTS, {"rollout_id": rollout_id}):
        found[wave][state] = count
    return found


def updates(session: Session, rollout_id: int, states: Iterable[UpdateState]) -> Sequence[UpdateRow]:
    """The updates of a rollout that are in one of `states`, in their order."""
    given = {"rollout_id": rollout_id, "states": list(states)}
    return [UpdateRow(*row) for row in session.execute(_UPDATES, given)]


def of_wave(
    session: Session, rollout_id: int, states: Iterable[UpdateState], *, wave: int, after: int, limit: int
) -> Sequence[UpdateRow]:
    """The first `limit` updates of a wave that are in one of `states` and stand behind position `after`, in their order."""
    given = {"rollout_id": rollout_id, "states": list(states), "wave": wave, "after": after}
    return [UpdateRow(*row) for row in session.execute(_OF_WAVE.limit(limit), given)]


TOUCHED = BEING_CUT_OVER | {UpdateState.ROLLING_BACK}
"""At a target in one of these states something is changed that serves, or may."""
_BUSY = (
    select(Customer.name, func.min(TargetUpdate.rollout_id))
    .join(Target, Target.id == TargetUpdate.target_id)
    .join(Installation, Installation.id == Target.installation_id)
    .join(Customer, Customer.id == Installation.customer_id)
    .where(
        TargetUpdate.active,
        TargetUpdate.state.in_(TOUCHED),
        TargetUpdate.rollout_id != bindparam("but"),
    )
    .group_by(Customer.name)
)


def busy_customers(session: Session, *, but: int) -> dict[str, int]:
    """Customers at whose targets other rollouts than `but` are at work, each with the number of one of those."""
    return {row[0]: row[1] for row in session.execute(_BUSY, {"but": but})}


def hold_customers(session: Session, names: Iterable[str]) -> None:
    """Let no other transaction begin anything at these customers before this one ends."""
    query = (
        select(Customer.id)
        .where(Customer.name.in_(sorted(names)))
        .order_by(Customer.id)
        .with_for_update(key_share=True)
    )
    session.execute(query).all()


def last_end(session: Session, rollout_id: int) -> datetime | None:
    """When a target of the rollout last ended."""
    return session.scalar(select(func.max(TargetUpdate.finished_at)).where(TargetUpdate.rollout_id == rollout_id))


_AWAY = select(TargetUpdate.waiting_since_at, TargetUpdate.deadline_at).where(
    TargetUpdate.rollout_id == bindparam("rollout_id"),
    TargetUpdate.state == UpdateState.WAITING,
    TargetUpdate.waits_for == WaitsFor.OFFLINE,
)


def away(session: Session, rollout_id: int) -> Sequence[tuple[datetime, datetime]]:
    """Since when and until when at most each target of the rollout waits whose host does not answer."""
    found = session.execute(_AWAY, {"rollout_id": rollout_id})
    return [(since, until) for since, until in found if since is not None and until is not None]


_PUT_AWAY = (
    select(TargetUpdate.wave, func.count())
    .where(
        TargetUpdate.rollout_id == bindparam("rollout_id"),
        TargetUpdate.state == UpdateState.ROLLING_BACK,
        TargetUpdate.ends_as == UpdateState.SKIPPED,
    )
    .group_by(TargetUpdate.wave)
)


def put_away(session: Session, rollout_id: int) -> dict[int, int]:
    """How many updates of each wave are rolled back without having failed: they will be skipped."""
    return {row[0]: row[1] for row in session.execute(_PUT_AWAY, {"rollout_id": rollout_id})}


def to_move(session: Session, rollout_id: int) -> Rollout:
    """The rollout itself, without its plan, which is as long as the rollout is large."""
    return session.get_one(Rollout, rollout_id, options=[defer(Rollout.plan)])


def options(session: Session, rollout_id: int) -> dict[str, Any]:
    """What a rollout was asked to do besides, out of its plan (`domain.plan.RolloutOptions` as plain data).

    A plan is as long as the rollout is large, and each target asks: it is read once for as long as it has the same name.
    """
    connection = session.connection()
    name = connection.execute(_PLAN_HASH, {"rollout_id": rollout_id}).scalar_one()
    known = _OPTIONS_OF.setdefault(connection.engine, {})
    if (rollout_id, name) not in known:
        while len(known) >= _MOST_KNOWN:
            known.pop(next(iter(known)))
        known[rollout_id, name] = connection.execute(_OPTIONS, {"rollout_id": rollout_id}).scalar_one() or {}
    return known[rollout_id, name]


def load_target(session: Session, update: TargetUpdate) -> Target:
    """The target of an update with its host, without reading what else it belongs to."""
    target = session.get_one(Target, update.target_id, options=_TARGET_ALONE)
    set_committed_value(update, "target", target)
    return target


_ONE_WAY = (
    select(TargetUpdate.id).where(TargetUpdate.rollout_id == bindparam("rollout_id"), TargetUpdate.one_way).limit(1)
)


def one_way(session: Session, rollout_id: int) -> bool:
    """Whether what the rollout brings must not be rolled back."""
    return session.scalar(_ONE_WAY, {"rollout_id": rollout_id}) is not None


def waves_to_move(session: Session, rollout_id: int) -> dict[int, Wave]:
    """The waves of a rollout by number."""
    found = session.scalars(select(Wave).where(Wave.rollout_id == rollout_id))
    return {wave.number: wave for wave in found}


def updates_to_move(session: Session, ids: Sequence[int]) -> dict[int, TargetUpdate]:
    """Updates with their targets, by their numbers."""
    found: dict[int, TargetUpdate] = {}
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        rows = session.scalars(select(TargetUpdate).where(TargetUpdate.id.in_(some)).options(_WITH_NAMES))
        found |= {row.id: row for row in rows.unique()}
    return found


def update(session: Session, update_id: int) -> TargetUpdate | None:
    """The update of that number without its target, or None. Its row is locked: who works at a target comes one after the other."""
    return session.scalars(_ALONE, {"of": update_id}).one_or_none()


def whereabouts(session: Session, update_id: int) -> tuple[str, UpdateState | None]:
    """The address of the host that an update's target stands on, and the update's state; nothing when there is no such update."""
    row = session.execute(_WHEREABOUTS, {"of": update_id}).one_or_none()
    return (row[0], row[1]) if row is not None else ("", None)


def named(session: Session, update: TargetUpdate) -> NamedTarget:
    """What an assignment says of the target of an update."""
    return NamedTarget(*session.connection().execute(_NAMED, {"target_id": update.target_id}).one())


IS_WORKED_ON = or_(
    TargetUpdate.state.in_(AT_WORK),
    and_(TargetUpdate.state == UpdateState.WAITING, TargetUpdate.waits_for == WaitsFor.OFFLINE),
)
"""As `domain.rollout.is_worked_on`."""
NO_REST = timedelta(minutes=1)
"""Nobody rests for so long: whoever wrote that had a clock that was put back since."""
_RUNNABLE = (
    select(TargetUpdate.id, TargetUpdate.state)
    .where(
        TargetUpdate.active,
        IS_WORKED_ON,
        or_(
            TargetUpdate.not_before_at.is_(None),
            TargetUpdate.not_before_at <= bindparam("now"),
            TargetUpdate.not_before_at > bindparam("no_rest"),
        ),
    )
    .order_by(TargetUpdate.id)
)


def runnable(session: Session, *, now: datetime) -> dict[int, UpdateState]:
    """The updates that a worker may work on now, with their states, oldest first.

    They are active, in a state of work or waiting for the host, and do not rest until later.
    """
    found = session.execute(_RUNNABLE, {"now": now, "no_rest": now + NO_REST})
    return {row[0]: row[1] for row in found}


_ROWS = cast("Table", TargetUpdate.__table__)
_TARGETS = cast("Table", Target.__table__)
_GENERATION = select(_TARGETS.c.generation).where(_TARGETS.c.id == bindparam("target_id"))
_STAMP = _TARGETS.update().where(_TARGETS.c.id == bindparam("target_id")).values(generation=bindparam("newer"))


@cache
def _keeping(*, by_server: bool) -> Update:
    """Leases of many machines are measured by the server's clock; where there is one machine, by its own."""
    at = leases.end(timedelta(0)) if by_server else bindparam("at")
    until = leases.end(bindparam("lease_for", type_=Interval)) if by_server else bindparam("until")
    held = or_(
        _ROWS.c.lease_owner == "",
        _ROWS.c.lease_owner == bindparam("mine"),
        _ROWS.c.lease_until_at.is_(None),
        _ROWS.c.lease_until_at < at,
    )
    found = _ROWS.update().where(_ROWS.c.id == bindparam("of"), _ROWS.c.state == bindparam("read"), held)
    return found.values(lease_owner=bindparam("mine"), lease_until_at=until, deadline_at=bindparam("due"))


@cache
def _taking(*, by_server: bool) -> Update:
    return _keeping(by_server=by_server).values(generation=bindparam("newer"))


def claim(
    session: Session, update: TargetUpdate, *, owner: str, now: datetime, until: datetime, deadline_at: datetime | None
) -> bool:
    """Take the lease of an update, or keep it; a new owner gets a new generation. False when another one holds it.

    `deadline_at` is kept with it: what queued for somebody has none before. On PostgreSQL the lease begins by the server's clock.
    """
    connection = session.connection()
    by_server = connection.dialect.name != "sqlite"
    given: dict[str, Any] = {"of": update.id, "read": update.state, "mine": owner, "due": deadline_at}
    given |= {"lease_for": until - now} if by_server else {"at": now, "until": until}
    stamp: dict[str, Any] = {"target_id": update.target_id}
    if update.lease_owner == owner:
        taken = connection.execute(_keeping(by_server=by_server), given)
    else:
        stamp["newer"] = connection.execute(_GENERATION, stamp).scalar_one() + 1
        taken = connection.execute(_taking(by_server=by_server), {**given, "newer": stamp["newer"]})
    if taken.rowcount != 1:
        return False
    if "newer" in stamp:
        connection.execute(_STAMP, stamp)
        set_committed_value(update, "generation", stamp["newer"])
    for name, value in {"lease_owner": owner, "lease_until_at": until, "deadline_at": deadline_at}.items():
        set_committed_value(update, name, value)
    return True


def lift_generation(session: Session, update: TargetUpdate, *, found: int) -> None:
    """Give later owners of the update's target numbers above the one that was found on its host."""
    lifted = _STAMP.where(_TARGETS.c.generation < found)
    session.connection().execute(lifted, {"target_id": update.target_id, "newer": found})


def write(session: Session, update: TargetUpdate, **values: object) -> None:
    """Write some columns of an update that is held, at once and without looking for what else may have changed."""
    given = {f"new_{name}": value for name, value in values.items()}
    session.connection().execute(_writing(tuple(values)), {"of": update.id, **given})
    for name, value in values.items():
        set_committed_value(update, name, value)


@cache
def _writing(names: tuple[str, ...]) -> Update:
    changes = {name: bindparam(f"new_{name}", type_=_ROWS.c[name].type) for name in names}
    return _ROWS.update().where(_ROWS.c.id == bindparam("of")).values(changes)
