"""Look at targets that nobody has looked at for a while, and write down how they differ from what is recorded.

Cheap and bounded: a few targets a time, those first that were looked at longest ago, none that a rollout is at work on.
The first look after an update remembers every setting as it is; later ones tell what a hand has changed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from releaser.errors import OutsideError, ReleaserError
from releaser.flows.observe_target import Seen, observe_target
from releaser.flows.ports import Ports
from releaser.store import drifts, rollouts
from releaser.store.installations import Target

LOOK_EVERY_FOR = timedelta(minutes=5)
"""How long a target is left alone after a look."""
AT_ONCE = 20
_THREADS = 2


def look_for_drift(ports: Ports, *, limit: int = AT_ONCE) -> int:
    """Look at up to `limit` targets that are due; how many were. An engine that does not answer is no drift."""
    now = ports.clock.now()
    with ports.database.transaction() as session:
        due = drifts.claim_due(session, before=now - LOOK_EVERY_FOR, now=now, limit=limit)
    if not due:
        return 0

    def look(target_id: int) -> Seen | None:
        try:
            return observe_target(ports, target_id=target_id)
        except (OutsideError, ReleaserError):
            return None

    with ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="drift") as pool:
        for target_id, seen in zip(due, pool.map(look, due), strict=True):
            if seen is not None:
                _write(ports, target_id, seen)
    return len(due)


def _write(ports: Ports, target_id: int, seen: Seen) -> None:
    now = ports.clock.now()
    with ports.database.transaction() as session:
        target = session.get(Target, target_id)
        # A rollout may have begun, or ended, while the engine was asked: then the look tells of another time.
        if target is None or not seen.is_of(target) or rollouts.holder(session, target_id) is not None:
            return
        if target.configuration is None and not seen.found and seen.observation.serving is not None:
            drifts.remember(target, dict(seen.observation.serving.configuration))
        elif seen.found or target.drift is not None:
            drifts.note(session, target, seen.found, now=now)
