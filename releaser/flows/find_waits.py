"""What each cutover would have to wait for now: the customer's consent, a freeze, its notice, the contract's window, another rollout there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.consent import Agreement, Word, agreement, refusal_told
from releaser.domain.experience import Prediction
from releaser.domain.regulation import Regulation, from_mapping
from releaser.domain.rollout import WaitsFor
from releaser.domain.target import Step, Stop, planned_stop
from releaser.domain.update_freeze import Place, UpdateFreeze, holding
from releaser.domain.waiting import Wait
from releaser.flows.find_consents import stops
from releaser.flows.notice_gate import covering, standing_notices
from releaser.store import consents, rollout_work, update_freezes
from releaser.store.notices import NoticeInstallation
from releaser.store.plain import load
from releaser.store.rollout_work import UpdateRow


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What all of them are asked against, read once."""

    product: str
    freezes: Sequence[UpdateFreeze]
    overridden: frozenset[int]
    told: Mapping[int, Sequence[NoticeInstallation]]
    said: Mapping[int, Word]
    contracts: Mapping[str, Regulation]
    busy: Mapping[str, int]


def find_waits(
    session: Session, *, rollout_id: int, product: str, updates: Sequence[UpdateRow], now: datetime
) -> dict[int, Wait | None]:
    """Update -> what its cutover waits for, None when it may begin.

    What only a person ends comes before what ends by itself, so that nobody waits for a window first to learn in it that the notice
    is missing, or that nobody agreed.
    """
    told: dict[int, list[NoticeInstallation]] = defaultdict(list)
    for row in standing_notices(session, rollout_id=rollout_id):
        told[row.installation_id].append(row)
    freezes = update_freezes.holding(session, now=now)
    known = _Known(
        product=product,
        freezes=freezes,
        overridden=update_freezes.overridden(session, rollout_id) if freezes else frozenset(),
        told=told,
        said=consents.standing(session, rollout_id) if _asked(updates) else {},
        contracts={one.customer: _contract(one) for one in updates},
        busy=rollout_work.busy_customers(session, but=rollout_id),
    )
    return {one.id: _wait(one, known, now=now) for one in updates}


def find_refusals(session: Session, *, rollout_id: int, updates: Sequence[UpdateRow]) -> dict[int, Wait]:
    """Update -> the consent that will never come, for those where the customer said no."""
    asked = _asked(updates)
    said = consents.standing(session, rollout_id) if asked else {}
    waits = {one.id: _for_consent(one, _contract(one), said.get(one.installation_id)) for one in asked}
    return {number: wait for number, wait in waits.items() if wait is not None and wait.never}


def _asked(updates: Sequence[UpdateRow]) -> list[UpdateRow]:
    return [one for one in updates if one.regulation.get("consent")]


def _contract(update: UpdateRow) -> Regulation:
    return from_mapping(update.regulation, zone=update.zone)


def _wait(update: UpdateRow, known: _Known, *, now: datetime) -> Wait | None:
    """A consent is waited for as long as the cutover could not begin anyway, and then some."""
    consent = _for_consent(update, known.contracts[update.customer], known.said.get(update.installation_id))
    if consent is not None and consent.never:
        return consent
    other = _for_leave(update, known, now=now)
    if consent is None:
        return other
    return replace(consent, until=other.until if other is not None else None)


def _for_consent(update: UpdateRow, contract: Regulation, word: Word | None) -> Wait | None:
    rule = contract.consent
    if rule is None:
        return None
    does = stops(load(Step, step) for step in update.steps)
    stands = agreement(rule, word, module=update.module, stops=does)
    if stands is Agreement.REFUSED and word is not None:
        return Wait(what=WaitsFor.CONSENT, told=refusal_told(word), never=True)
    if stands is not Agreement.MISSING:
        return None
    told = f"{rule.by} ({update.customer}) has not agreed yet"
    if word is not None:
        told = f"{rule.by} ({update.customer}) agreed before it was known that {update.module} stops"
    return Wait(what=WaitsFor.CONSENT, told=told)


def _for_leave(update: UpdateRow, known: _Known, *, now: datetime) -> Wait | None:
    """What has to be waited for besides the consent."""
    place = Place(product=known.product, customer=update.customer, installation=update.installation)
    freeze = holding(known.freezes, place, now=now, overridden=known.overridden)
    if freeze is not None:
        return Wait(
            what=WaitsFor.FREEZE,
            until=freeze.ends(),
            told=f"freeze {freeze.id} until {_told(freeze.ends())}: {freeze.reason}",
        )
    stop, stop_for = planned_stop(load(Step, step) for step in update.steps)
    told, needs = known.told[update.installation_id], _needs(update, stop_for)
    if stop is not Stop.NONE and covering(told, now=now, module=update.module, needs=needs) is None:
        return _for_notice(told, update, needs, now=now)
    regulation = known.contracts[update.customer]
    if (window := _for_window(regulation, needs, now=now)) is not None:
        return window
    if (other := known.busy.get(update.customer)) is not None:
        return Wait(what=WaitsFor.LOCK, told=f"rollout {other} is at work at the customer")
    return None


def _for_notice(told: Sequence[NoticeInstallation], update: UpdateRow, needs: timedelta, *, now: datetime) -> Wait:
    starts = [
        row.notice.starts_at
        for row in told
        if row.notice.starts_at > now and (row.stop is Stop.FULL or update.module in row.modules)
    ]
    if not starts and (late := covering(told, now=now, module=update.module)) is not None:
        too_soon = f"the announced time ends {_told(late.ends_at)}, too soon for {_seconds(needs)} s"
        return Wait(what=WaitsFor.NOTICE, told=too_soon)
    if not starts:
        return Wait(what=WaitsFor.NOTICE, told="no announced notice covers the stop now")
    return Wait(what=WaitsFor.NOTICE, until=min(starts), told=f"announced for {_told(min(starts))}")


def _needs(update: UpdateRow, stop_for: timedelta) -> timedelta:
    """How long the cutover and the way back take, each as nine of ten earlier ones."""
    if update.predicted is not None:
        return load(Prediction, update.predicted).needs
    return 2 * max(stop_for, timedelta(seconds=1))


def _for_window(regulation: Regulation, needs: timedelta, *, now: datetime) -> Wait | None:
    """None while a window is open that can still hold the cutover and the way back; else the next one that can is waited for."""
    opens_at = regulation.opening_for(needs, now)
    if opens_at == now:
        return None
    if opens_at is None:
        return Wait(what=WaitsFor.WINDOW, told=f"no window of the contract lasts {_seconds(needs)} s")
    told = f"the window opens {_told(opens_at)}"
    if (closes_at := regulation.closes_at(now)) is not None:
        told = (
            f"the window closes {_told(closes_at)}, too soon for {_seconds(needs)} s; the next opens {_told(opens_at)}"
        )
    return Wait(what=WaitsFor.WINDOW, until=opens_at, told=told)


def _seconds(length: timedelta) -> str:
    seconds = length.total_seconds()
    return f"{seconds:.0f}" if seconds >= 100 else f"{seconds:.3g}"


def _told(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%MZ}"
