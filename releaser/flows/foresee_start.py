"""What a start of a plan would still need or wait for, looked up before anybody starts it, in the caller's session."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.consent import Agreement, agreement, refusal_told
from releaser.domain.plan import Plan, RolloutOptions
from releaser.domain.regulation import from_mapping
from releaser.domain.rollout import NOT_BEGUN, RolloutState
from releaser.domain.target import Stop
from releaser.domain.update_freeze import Place, holding
from releaser.flows.draft_notice import open_notice
from releaser.flows.find_consents import stops
from releaser.flows.give_way import busy
from releaser.flows.keep_plan import is_same_work
from releaser.flows.notice_gate import covering, standing_notices
from releaser.flows.ports import Facts
from releaser.store import consents, products, releases, rollouts, update_freezes
from releaser.store.notices import Notice
from releaser.store.plain import load

_SHOWN = 5


def foresee_start(session: Session, plan: Plan, *, now: datetime) -> list[Facts]:
    """One entry (`rule`, `detail`, `advice`) for each thing in the way that a person or time can still clear.

    One that ends by itself has `until` too.
    """
    return [
        *_busy(session, plan),
        *_approval(plan),
        *_notice(session, plan, now=now),
        *_consents(session, plan),
        *_frozen(session, plan, now=now),
    ]


def _busy(session: Session, plan: Plan) -> Iterator[Facts]:
    for holder in rollouts.at_work_on(session, [one.target_id for one in plan.targets]):
        told = busy(holder)
        if plan.options.supersede:
            yield _need(
                "supersedes", told.detail, f"It will end at its next boundary as superseded: rollout {holder.id}."
            )
        else:
            yield _need("target-busy", told.detail, told.advice)


def _approval(plan: Plan) -> Iterator[Facts]:
    if plan.options.needs_approval:
        yield _need("approval", "Somebody else has to approve it.", "It waits for: releaser rollout approve NUMBER.")


def _notice(session: Session, plan: Plan, *, now: datetime) -> Iterator[Facts]:
    if plan.options.rehearse:
        return
    planned = planned_like(session, plan)
    told = standing_notices(session, rollout_id=planned) if planned is not None else ()
    missing = sorted(
        {
            one.installation
            for one in plan.changes
            if one.stop[0] is not Stop.NONE
            and not any(
                row.installation_id == one.installation_id
                and (notice := covering([row], now=None, module=one.module)) is not None
                and now < notice.ends_at
                for row in told
            )
        }
    )
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        yield _need(
            "notice-required",
            f"It stops {', '.join(missing[:_SHOWN])}{more}, and no announced notice covers that.",
            _announce(open_notice(session, planned) if planned is not None else None),
        )


def _announce(notice: Notice | None) -> str:
    if notice is None:
        return "Keep the plan, which drafts the notice (without --dry-run, or with save=true over HTTP); then announce that."
    return f"Announce notice {notice.id}: releaser notice announce {notice.id}."


def planned_like(session: Session, plan: Plan) -> int | None:
    """The number of the rollout that is planned like this already, if there is one."""
    product = products.get(session, plan.product)
    release = releases.get(session, product, plan.version)
    found = rollouts.of_release(session, release.id, NOT_BEGUN)
    for planned in sorted(found, key=lambda one: one.state is RolloutState.SCHEDULED):  # which is not planned again
        alike = planned.selector == plan.selector and not planned.rehearsal
        if alike and is_same_work(load(RolloutOptions, planned.plan["options"]), plan.options):
            return planned.id
    return None


def _consents(session: Session, plan: Plan) -> Iterator[Facts]:
    """Who has to agree by which contract and did not yet, and where somebody said no, so that nothing will be done."""
    if plan.options.rehearse:
        return
    release = releases.get(session, products.get(session, plan.product), plan.version)
    said = consents.standing_of(session, release.id, work=plan.work)
    contracts = {one.name: from_mapping(one.regulation, zone=one.zone) for one in consents.asking(session)}
    missing: dict[str, set[str]] = {}
    refused: set[str] = set()
    for one in plan.changes:
        rule = contracts[one.customer].consent if one.customer in contracts else None
        word = said.get(one.installation_id)
        stands = agreement(rule, word, module=one.module, stops=stops(one.steps))
        if stands is Agreement.MISSING:
            missing.setdefault(one.customer, set()).add(one.installation)
        elif stands is Agreement.REFUSED and word is not None and one.installation not in refused:
            refused.add(one.installation)
            yield _need(
                "consent-refused",
                f"{one.installation} stays as it is: {refusal_told(word)}.",
                f"Should the customer agree after all: releaser rollout consent NUMBER --installation {one.installation} --who NAME.",
            )
    for customer, names in missing.items():
        rule = contracts[customer].consent
        shown = sorted(names)
        more = f" and {len(shown) - _SHOWN} more" if shown[_SHOWN:] else ""
        yield _need(
            "consent",
            f"The contract of {customer} asks that {rule.by if rule else ''} agrees to {', '.join(shown[:_SHOWN])}{more}.",
            "Nothing is cut over there before that is recorded, once the rollout has a number: "
            f"releaser rollout consent NUMBER --customer {customer} --who NAME.",
        )


def _frozen(session: Session, plan: Plan, *, now: datetime) -> Iterator[Facts]:
    """Freezes that hold a cutover when the work would begin, each with those whom it holds."""
    at = max(now, plan.options.starts_at or now)
    freezes = update_freezes.holding(session, now=at)
    if plan.options.rehearse or not freezes:
        return
    planned = planned_like(session, plan)
    overridden = update_freezes.overridden(session, planned) if planned is not None else frozenset()
    held: dict[int, set[str]] = {}
    for one in plan.changes:
        place = Place(product=plan.product, customer=one.customer, installation=one.installation)
        freeze = holding(freezes, place, now=at, overridden=overridden)
        if freeze is not None:
            held.setdefault(freeze.id, set()).add(one.installation)
    for freeze in freezes:
        if freeze.id in held:
            names = sorted(held[freeze.id])
            more = f" and {len(names) - _SHOWN} more" if names[_SHOWN:] else ""
            need = _need(
                "update-freeze",
                f"Freeze {freeze.id} holds {', '.join(names[:_SHOWN])}{more} until {freeze.ends():%Y-%m-%dT%H:%MZ}: {freeze.reason}.",
                "Nothing is cut over there before that; to disregard it, once the rollout has a number: "
                f"releaser update-freeze override {freeze.id} --rollout NUMBER --by NAME --reason REASON.",
            )
            yield {**need, "until": freeze.ends()}


def _need(rule: str, detail: str, advice: str) -> Facts:
    return {"rule": rule, "detail": detail, "advice": advice}
