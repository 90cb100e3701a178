"""Write down what a customer said of an update: yes, or no with a reason. Whoever waits for it goes on at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.consent import Answer, InvalidConsentError, checked_word
from releaser.domain.rollout import RolloutState
from releaser.errors import RefusedError
from releaser.flows.find_consents import find_consents
from releaser.flows.ports import Facts, Ports
from releaser.store import consents, moves, rollout_facts, rollout_work, rollouts
from releaser.store.consents import Consent
from releaser.store.rollouts import Rollout

_OVER = frozenset({RolloutState.SUCCEEDED, RolloutState.ABORTED, RolloutState.SUPERSEDED})
_SHOWN = 5


def record_consent(
    ports: Ports,
    *,
    rollout_id: int,
    answer: Answer,
    who: str,
    by: str,
    customer: str = "",
    installation: str = "",
    note: str = "",
) -> Facts:
    """Record what `who` of the customer said, of all its installations in the rollout or of one; `by` writes it down.

    Without names it is the one customer that is asked. The facts are the rollout's with its `consents`. The newest word counts,
    also when it says the same again. Raises `RolloutNotFoundError`; `InvalidConsentError` without a name, for a no without a reason, and
    where it is not clear or not asked whose word it is; `RefusedError` for a rollout that is over or only rehearsed
    (`rollout-over`, `consent-not-asked`), and for a no behind the beginning of the cutover (`consent-too-late`).
    """
    who, note = checked_word(answer, who=who, note=note)
    now = ports.clock.now()
    with ports.database.transaction() as session:
        rollout = rollouts.get(session, rollout_id)
        _check_open(rollout)
        # Nothing begins to be cut over there between the look and the word.
        rollout_work.hold_customers(session, {one["customer"] for one in find_consents(session, rollout_id=rollout_id)})
        asked = find_consents(session, rollout_id=rollout_id)
        meant = _meant(asked, rollout, customer=customer.strip(), installation=installation.strip())
        if answer is Answer.NO:
            _check_not_begun(meant)
        work = consents.work_of(session, rollout_id)
        for one in meant:
            session.add(
                Consent(
                    release_id=rollout.release_id,
                    installation_id=one["installation_id"],
                    rollout_id=rollout_id,
                    work=work,
                    answer=answer,
                    who=who,
                    note=note,
                    stopping=one["stopping"],
                    by=by,
                    at=now,
                )
            )
        _tell(session, rollout, meant, answer=answer, who=who, note=note, by=by, now=now)
        session.flush()
        facts = {**rollout_facts.of_rollout(rollout), "consents": find_consents(session, rollout_id=rollout_id)}
    ports.wake()
    return facts


def _check_open(rollout: Rollout) -> None:
    if rollout.rehearsal:
        raise RefusedError(
            f"Rollout {rollout.id} is a rehearsal, which cuts nothing over: nobody has to agree to it.",
            rule="consent-not-asked",
            advice="Record the consent for the rollout itself, once it is planned.",
        )
    if rollout.state in _OVER:
        raise RefusedError(
            f"Rollout {rollout.id} is over ({rollout.state.value}).",
            rule="rollout-over",
            advice="Plan what is left anew, and record the consent for that rollout.",
        )


def _meant(asked: Sequence[Facts], rollout: Rollout, *, customer: str, installation: str) -> list[Facts]:
    """The installations that the word is about."""
    if not asked:
        raise RefusedError(
            f"No contract that rollout {rollout.id} touches asks for a consent to it.",
            rule="consent-not-asked",
            advice="Who agrees is declared in the customer's regulation: consent (docs/waiting.md).",
        )
    names = sorted({one["customer"] for one in asked})
    known = f"Asked are: {', '.join(names[:_SHOWN])}{f' and {len(names) - _SHOWN} more' if names[_SHOWN:] else ''}."
    if not customer and not installation and len(names) > 1:
        raise InvalidConsentError(
            f"Rollout {rollout.id} waits for the consent of {len(names)} customers.",
            advice=f"Name one with --customer, or one installation with --installation. {known}",
            field="customer",
        )
    found = [one for one in asked if customer in {"", one["customer"]} and installation in {"", one["installation"]}]
    if not found:
        place = f"Installation '{installation[:80]}'" if installation else f"Customer '{customer[:80]}'"
        raise InvalidConsentError(
            f"{place} is not asked for a consent to rollout {rollout.id}.",
            advice=known,
            field="installation" if installation else "customer",
        )
    return found


def _check_not_begun(meant: Sequence[Facts]) -> None:
    touched = [one["installation"] for one in meant if one["is_touched"]]
    if touched:
        raise RefusedError(
            f"At {', '.join(touched[:_SHOWN])} the cutover has begun already.",
            rule="consent-too-late",
            advice="Name an --installation where it has not, or abort the rollout, which undoes what is not committed.",
            installations=touched,
        )


def _tell(
    session: Session,
    rollout: Rollout,
    meant: Sequence[Facts],
    *,
    answer: Answer,
    who: str,
    note: str,
    by: str,
    now: datetime,
) -> None:
    """The rollout's story says who agreed to what."""
    names = ", ".join(one["installation"] for one in meant[:_SHOWN])
    names += f" and {len(meant) - _SHOWN} more" if meant[_SHOWN:] else ""
    said = "agreed" if answer is Answer.YES else "did not agree"
    told = f"{who} {said} ({names})" + (f": {note}" if note else "")
    state = rollout.state.value
    moves.record(session, rollout, source=state, to=state, now=now, by=by, reason=told)
