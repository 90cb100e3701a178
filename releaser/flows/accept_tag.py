"""Accept that a tag moved or vanished: a person found out why. Its old meaning is forgotten, and the history read again."""

from __future__ import annotations

from releaser.errors import ConflictError
from releaser.flows.collect_commits import collect_commits
from releaser.flows.ports import Facts, Ports, Progress, silent
from releaser.flows.yank_release import checked_reason
from releaser.store import alarms, products


class TagMovedAgainError(ConflictError):
    """The tag is something else than what was looked at."""


def accept_tag(ports: Ports, *, product: str, tag: str, reason: str, by: str, progress: Progress = silent) -> Facts:
    """Accept what the remote has now, and tell the alarm as it ended.

    A published release whose tag moved is from then on what the tag says. What was accepted is carried out by the collect that
    follows, or if that fails by the next one.
    Raises `ProductNotFoundError`, `AlarmNotFoundError`, `MissingReasonError`, `TagMovedAgainError`, and what
    `collect_commits` raises.
    """
    reason = checked_reason(reason)
    with ports.database.transaction() as session:
        row = products.get(session, product)
        alarm = alarms.get(session, row, tag)
        alarm.accepted_at, alarm.accepted_by, alarm.reason = ports.clock.now(), by, reason
    collect_commits(ports, product=product, progress=progress)
    with ports.database.reading() as session:
        again = next((one for one in alarms.standing(session, row.id) if one.tag == tag), None)
        if again is not None:
            raise TagMovedAgainError(
                f"Tag {tag} moved again before that was accepted: it is {again.now[:12] or 'gone'} now.",
                advice="Look at it once more, and accept it as it is.",
                tag=tag,
            )
        return {"product": row.name, **alarms.facts(alarms.by_id(session, alarm.id))}
