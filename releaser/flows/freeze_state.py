"""Where a product's train stands with its freeze, and which entries a cut would have to refuse because of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.embargo import Untold, untold
from releaser.domain.freeze import Entry, Phase, Phases, Point, Proof, Violation, Why, frozen, phases_of
from releaser.domain.freeze_entries import branch_point, frozen_entries
from releaser.domain.history import History
from releaser.domain.train import Timetable, Train
from releaser.errors import RefusedError
from releaser.flows.list_plans import journeys_of
from releaser.flows.open_history import open_history
from releaser.flows.ports import Facts, Ports
from releaser.i18n import DEFAULT_LANGUAGE, Phrase, Translator, mark, translator
from releaser.store import embargoes, freezes, products, trains
from releaser.store.products import Product


def freeze_state(
    ports: Ports,
    *,
    product: str,
    commit: str = "",
    branch: str = "",
    told: Untold | None = untold,
    language: str = DEFAULT_LANGUAGE,
) -> Facts:
    """Judge a stable cut of `commit` (full id; the branch's head as it was collected when empty) made now.

    For the gate before a cut: it calls this after `collect_commits`, with no transaction open (the first call of a process
    reads the repository), and refuses while `violations` is not empty. A patch has no train and is not asked about.
    `branch` is where the commit is; the product's own when empty. `told` stands in place of texts under embargo (None: for
    the gate, and for internal readers).

    Facts: `product`, `train` (the day by the rhythm, a date or None: the train a cut made now leaves with; a cut keeps it
    in `Release.planned_on`), `departs_at`, `phase` (a `domain.freeze.Phase`), `branch_point_at`, `soft_freeze_at`,
    `freeze_at`, `thaw_at` (None for what the product has no rule for), `points` (where the branch was: `phase`, `at`,
    `commit`, `proof`), `violations` and `excused` (each `commit`, `subject`, `tickets`, `landed`, `proof`; a violation also
    `why`, `detail`, `advice`; these two in `language`), `exceptions`. A product without a rhythm or without freeze rules has no violations.
    Raises `ProductNotFoundError`, and what `open_history` raises when the first phase has begun.
    """
    now = ports.clock.now()
    with ports.database.reading() as session:
        row = products.get(session, product)
        table = trains.timetable(session, row, now=now)
        train = table.of_cut if table is not None else None
        if table is None or train is None:
            return _facts(row, None, Phases(), now)
        leaves = freezes.exceptions(session, row.id, slot_on=train.slot_on)
        phases = phases_of(train, table.rhythm)
        facts = {
            **_facts(row, train, phases, now),
            "exceptions": [freezes.facts(one, now=now) for one in leaves],
        }
        veil = embargoes.veil(session, row.id, now=now)
        if phases.at(now) not in _BEGUN:
            return veil.over(facts, told)
    history = open_history(ports, product=product)
    with ports.database.reading() as session:
        judged = _judged(
            session, row, table, train, history, _Cut.of(history, row, commit, branch), translator(language)
        )
    return veil.over({**facts, **judged}, told)


_BEGUN = frozenset(Phase) - {Phase.OPEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """What would be cut: the branch, the one it may have come from, and the commit's index."""

    branch: str
    trunk: str
    tip: int

    @classmethod
    def of(cls, history: History, product: Product, commit: str, branch: str) -> _Cut:
        """Find it in the history. Raises `RefusedError` when the last collect knows nothing of it."""
        trunk = product.branch or next((head.branch for head in history.heads if head.main), "")
        named = branch or trunk
        wanted = commit or next((head.commit for head in history.heads if head.branch == named), "")
        tip = history.find(wanted) if wanted else None
        if tip is None:
            raise RefusedError(
                Phrase(
                    mark("The last collect of '{product}' saw no commit {commit}."),
                    product=product.name,
                    commit=wanted[:10],
                )
                if wanted
                else Phrase(
                    mark("The last collect of '{product}' saw no branch {branch}."), product=product.name, branch=named
                ),
                rule="not-collected",
                advice=Phrase(mark("Run `{command}`."), command=f"releaser collect {product.name}"),
            )
        return cls(branch=named, trunk=trunk, tip=tip)


def _judged(
    session: Session, product: Product, table: Timetable, train: Train, history: History, cut: _Cut, t: Translator
) -> Facts:
    phases, now = phases_of(train, table.rhythm), table.now
    branched = _point(session, product, train, Phase.BRANCH_POINT, phases.branch_point_at, cut, now)
    soft = _point(session, product, train, Phase.SOFT_FREEZE, phases.soft_freeze_at, cut, now)
    freeze = _point(session, product, train, Phase.FREEZE, phases.freeze_at, cut, now)
    entries = frozen_entries(history, cut.tip, soft=soft, freeze=freeze)
    leaves = freezes.exceptions(session, product.id, slot_on=train.slot_on)
    violations = frozen(
        entries,
        exceptions=[freezes.as_domain(one) for one in leaves],
        planned=_planned(session, product, table, train),
        now=now,
    )
    refused = {one.entry.commit for one in violations}
    points = ((Phase.BRANCH_POINT, branched), (Phase.SOFT_FREEZE, soft), (Phase.FREEZE, freeze))
    return {
        "branch": cut.branch,
        "points": [
            {"phase": phase.value, "at": point.at, "commit": point.commit, "proof": point.proof.value}
            for phase, point in points
            if point is not None
        ],
        "violations": [_violation(one, product, train, table, t) for one in violations],
        "excused": [_entry(one) for one in entries if one.commit not in refused],
    }


def _point(
    session: Session, product: Product, train: Train, phase: Phase, at: datetime | None, cut: _Cut, now: datetime
) -> Point | None:
    """Where the branch was when a phase began; None while it has not."""
    if at is None or at > now:
        return None
    seen = freezes.seen(session, product.id, cut.branch)
    trunk = freezes.seen(session, product.id, cut.trunk)
    return branch_point(at, seen, trunk, freezes.stated(session, product.id, train.slot_on).get(phase))


def _planned(session: Session, product: Product, table: Timetable, train: Train) -> frozenset[str]:
    journeys = journeys_of(session, product, table)
    return frozenset(one.ticket for one in journeys if one.planned_for == train.slot_on)


def _facts(product: Product, train: Train | None, phases: Phases, now: datetime) -> Facts:
    return {
        "product": product.name,
        "train": train.slot_on if train else None,
        "departs_at": train.departs_at if train else None,
        "phase": phases.at(now).value,
        "branch_point_at": phases.branch_point_at,
        "soft_freeze_at": phases.soft_freeze_at,
        "freeze_at": phases.freeze_at,
        "thaw_at": phases.thaw_at,
        "branch": None,
        "points": [],
        "violations": [],
        "excused": [],
        "exceptions": [],
    }


def _entry(entry: Entry) -> Facts:
    return {
        "commit": entry.commit,
        "subject": entry.subject,
        "tickets": list(entry.tickets),
        "landed": entry.landed.value,
        "proof": entry.proof.value,
    }


_LANDED = {
    (Phase.SOFT_FREEZE, True): mark("{commit} landed after the soft freeze of {when} for the train of {day}: {why}."),
    (Phase.SOFT_FREEZE, False): mark(
        "{commit} may have landed after the soft freeze of {when} for the train of {day}: {why}."
    ),
    (Phase.FREEZE, True): mark("{commit} landed after the freeze of {when} for the train of {day}: {why}."),
    (Phase.FREEZE, False): mark("{commit} may have landed after the freeze of {when} for the train of {day}: {why}."),
}
_WHY = {
    Why.NO_TICKET: mark("it names no ticket"),
    Why.NOT_PLANNED: mark("{tickets} is not planned for that train"),
    Why.NO_EXCEPTION: mark("{tickets} has no exception"),
    Why.EXPIRED: mark("the exception for {tickets} does not hold any more"),
}


def _violation(violation: Violation, product: Product, train: Train, table: Timetable, t: Translator) -> Facts:
    entry = violation.entry
    begun = phases_of(train, table.rhythm)
    at = begun.freeze_at if entry.landed is Phase.FREEZE else begun.soft_freeze_at
    is_sure = entry.proof is not Proof.UNPROVED
    return {
        **_entry(entry),
        "why": violation.why.value,
        "refused": list(violation.tickets),
        "detail": t(
            _LANDED[entry.landed, is_sure],
            commit=entry.commit[:10],
            when=t.instant(at, product.zone) if at else "–",
            day=t.day(train.slot_on),
            why=t(_WHY[violation.why], tickets=", ".join(violation.tickets)),
        ),
        "advice": _advice(violation, product.name, t, is_sure=is_sure),
    }


def _advice(violation: Violation, product: str, t: Translator, *, is_sure: bool) -> str:
    except_it = f"releaser freeze except {product} {violation.tickets[0]}" if violation.tickets else ""
    advice = (
        t("Approve it with `{command}`, or revert it.", command=except_it)
        if except_it
        else t("Revert it: an exception names one ticket.")
    )
    if is_sure:
        return advice
    state = f"releaser freeze state {product} COMMIT"
    return f"{advice} " + t(
        "Nobody looked at the branch when it began; say where it was with `{command}`.", command=state
    )
