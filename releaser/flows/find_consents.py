"""Whose consent a rollout needs, and what each of them said, in the caller's session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy.orm import Session

from releaser.domain.consent import Agreement, Word, agreement
from releaser.domain.regulation import Regulation, from_mapping
from releaser.domain.rollout import BEING_CUT_OVER, UPDATE_GOOD, UpdateState
from releaser.domain.target import Phase, Step, Stop, planned_stop
from releaser.flows.ports import Facts
from releaser.store import consents
from releaser.store.consents import AskedRow
from releaser.store.plain import load

_TOUCHED = BEING_CUT_OVER | UPDATE_GOOD


def find_consents(session: Session, *, rollout_id: int) -> list[Facts]:
    """One entry for each installation whose contract asks for a consent to what the rollout does there.

    `by` is who agrees by the contract, `stopping` the modules that stop, `stands` a `domain.consent.Agreement`; `answer`, `who`,
    `note`, `at` and `recorded_by` tell of the word that stands, None without one. `is_waited_for` tells whether a word still decides
    something.
    """
    rows = consents.asked(session, rollout_id)
    said = consents.standing(session, rollout_id) if rows else {}
    contracts: dict[str, Regulation] = {}
    of: dict[int, list[AskedRow]] = defaultdict(list)
    for row in rows:
        of[row.installation_id].append(row)
        if row.customer not in contracts:
            contracts[row.customer] = from_mapping(row.regulation, zone=row.zone)
    found = (_facts(mine, contracts[mine[0].customer], said.get(number)) for number, mine in of.items())
    return [one for one in found if one is not None]


def _facts(rows: list[AskedRow], contract: Regulation, word: Word | None) -> Facts | None:
    rule, modules = contract.consent, stopping(rows)
    asked = [row for row in rows if row.steps and rule is not None and rule.asks(stops=row.module in modules)]
    if rule is None or not asked:
        return None
    stands = {agreement(rule, word, module=row.module, stops=row.module in modules) for row in asked}
    first = rows[0]
    return {
        "installation_id": first.installation_id,
        "installation": first.installation,
        "title": first.title or first.installation,
        "customer": first.customer,
        "by": rule.by,
        "stopping": sorted(modules),
        "stands": next(one for one in (Agreement.REFUSED, Agreement.MISSING, Agreement.AGREED) if one in stands).value,
        "is_waited_for": any(row.state not in _TOUCHED for row in asked),
        "is_touched": any(row.state in _TOUCHED and row.state is not UpdateState.ALREADY_INSTALLED for row in asked),
        "answer": word.answer.value if word else None,
        "who": word.who if word else None,
        "note": word.note if word else None,
        "at": word.at if word else None,
        "recorded_by": word.by if word else None,
    }


def stopping(rows: Iterable[AskedRow]) -> frozenset[str]:
    """The modules that the updates stop; how an attempt goes back is no work that is planned."""
    return frozenset(row.module for row in rows if stops([load(Step, step) for step in row.steps]))


def stops(steps: Iterable[Step]) -> bool:
    """Whether carrying out these steps stops something."""
    return planned_stop(step for step in steps if step.phase is not Phase.ROLL_BACK)[0] is not Stop.NONE
