"""Tags that moved or vanished: what a collect saw is kept as alarms, and what a person accepted is carried out by the next collect.

An acceptance is recorded first and carried out by whichever collect comes next, so that no crash in between loses it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.history import History
from releaser.domain.release import ReleaseState
from releaser.domain.version import parse
from releaser.flows.ports import Ports
from releaser.sources.source import Fetched, Progress, Repository
from releaser.store import alarms, moves, releases
from releaser.store.alarms import Alarm
from releaser.store.products import Product

_FOLLOWING = frozenset({ReleaseState.PUBLISHED, ReleaseState.YANKED})


def fetch_accepted(ports: Ports, product: Product, repository: Repository, *, progress: Progress) -> Fetched:
    """Fetch; tags whose new meaning was accepted are forgotten and fetched anew. Raises what `fetch` and `accept` raise."""
    fetched = repository.fetch(progress=progress)
    if not fetched.alarms:
        return fetched
    with ports.database.reading() as session:
        agreed = {(one.tag, one.was, one.now) for one in alarms.accepted(session, product.id)}
    accepted = [one for one in fetched.alarms if (one.name, one.was, one.now or "") in agreed]
    for alarm in accepted:
        repository.accept(alarm)
    return repository.fetch() if accepted else fetched


def are_news(session: Session, product: Product, fetched: Fetched) -> bool:
    """Whether `keep_alarms` has anything to keep: most fetches find every tag where it was."""
    return bool(fetched.alarms or alarms.standing(session, product.id) or alarms.accepted(session, product.id))


def keep_alarms(
    session: Session, product: Product, fetched: Fetched, history: History | None, *, now: datetime
) -> None:
    """Keep what was seen, in the transaction of the collect; `history` is what it read, None when nothing was new."""
    found = [(one.name, one.was, one.now or "") for one in fetched.alarms]
    alarms.keep(session, product.id, found, now=now)
    alarmed = {one.name for one in fetched.alarms}
    for alarm in alarms.accepted(session, product.id):
        if alarm.tag not in alarmed:
            alarm.applied_at = now
            if history is not None and alarm.version:
                _follow(session, product, alarm, history, now=now)


def _follow(session: Session, product: Product, alarm: Alarm, history: History, *, now: datetime) -> None:
    """A release of ours that customers can have is from now on what the accepted tag says.

    One that is not published yet is not: it is proved before it is promoted, and what was tested was made of the old commit.
    """
    tagged = history.release(parse(alarm.version, scheme=product.scheme))
    release = releases.find(session, product.id, alarm.version)
    if tagged is None or release is None or release.imported or release.state not in _FOLLOWING:
        return
    if release.commit != tagged.commit:
        why = f"tag {alarm.tag} moved from commit {release.commit[:12]} to {tagged.commit[:12]}: {alarm.reason}"
        state = release.state.value
        moves.record(session, release, source=state, to=state, now=now, by=alarm.accepted_by, reason=why)
    release.commit, release.tag_object = tagged.commit, tagged.tag_object
