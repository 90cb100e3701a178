"""Take what runs at an installation for what is recorded: a person says that the change made by hand is meant."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.drift import Difference
from releaser.domain.spec import config_hash
from releaser.domain.target import Observation
from releaser.errors import ConflictError, RefusedError
from releaser.flows.observe_target import Seen, observe_target
from releaser.flows.ports import Facts, Ports
from releaser.flows.show_installation import show_installation
from releaser.store import drifts, installations, releases, rollouts
from releaser.store.installations import Installed, Target
from releaser.store.plain import load_spec


class NoDriftError(ConflictError):
    """There is nothing to accept: what runs is what is recorded."""


class DriftBusyError(ConflictError):
    """A rollout is at work on the target, or was while it was looked at."""


def accept_drift(ports: Ports, *, installation: str, reason: str, by: str) -> Facts:
    """Look once more at every target, and record what is there. Tells the installation and what was `accepted`.

    Raises `InstallationNotFoundError`, `NoDriftError`, `DriftBusyError`, `OutsideError`.
    """
    if not reason.strip():
        raise RefusedError(
            "Accepting a drift needs a reason.", rule="reason-needed", advice="Give one with --reason.", field="reason"
        )
    with ports.database.reading() as session:
        ids = [target.id for target in installations.get(session, installation).targets]
    seen = {target_id: _seen(ports, target_id) for target_id in ids}
    changed = {target_id: one for target_id, one in seen.items() if one.found}
    if not changed:
        raise NoDriftError(
            f"At '{installation}' runs what is recorded.",
            advice="See `releaser installation show`.",
            field="installation",
        )
    accepted = []
    with ports.database.transaction() as session:
        now = ports.clock.now()
        for target_id, one in changed.items():
            target = session.get(Target, target_id)
            if target is None or not one.is_of(target) or rollouts.holder(session, target_id) is not None:
                raise _busy(installation)
            drifts.note(session, target, one.found, now=now)
            drifts.end(session, target, drifts.ACCEPTED, now=now, by=by, reason=reason)
            _record(session, target, one.observation, now=now)
            accepted.append({"target": f"{target.module.name}@{target.host.name}", "differences": _told(one.found)})
    return {**show_installation(ports, installation=installation), "accepted": accepted}


def _seen(ports: Ports, target_id: int) -> Seen:
    seen = observe_target(ports, target_id=target_id)
    if seen is None:
        raise _busy("the installation")
    return seen


def _busy(name: str) -> DriftBusyError:
    return DriftBusyError(
        f"A rollout is at work on a target of {name}, or was a moment ago.",
        advice="Wait for its end: it looks at what runs by itself. What differs then can be accepted.",
    )


def _told(found: tuple[Difference, ...]) -> list[str]:
    return [str(one) for one in found]


def _record(session: Session, target: Target, seen: Observation, *, now: datetime) -> None:
    """What is there now is how it shall be. Another image is another version, if it is one of a release."""
    serving = seen.serving
    extra = [other.name for other in seen.others if other.state == "running"]
    if serving is None:
        target.version = target.image = target.digest = ""
        target.running_spec, target.configuration, target.installed_at = None, None, None
        return
    if serving.config_hash == config_hash(load_spec(target.spec)):
        target.running_spec = target.spec
    elif serving.config_hash != drifts.recorded(target).config_hash:
        # No declaration of ours tells what it is, so it counts as taken over.
        target.adopted = {"at": now.isoformat(), "by": "accept-drift", "container": serving.name}
    if serving.digest is not None and serving.digest != target.digest:
        version = (
            serving.version or releases.version_of_digest(session, target.installation.product_id, serving.digest) or ""
        )
        if version:
            session.add(
                Installed(target_id=target.id, version=version, previous=target.version, digest=serving.digest, at=now)
            )
        target.version, target.digest = version, serving.digest
        target.image, target.installed_at = serving.image or target.image, now
    drifts.remember(target, dict(serving.configuration), extra=extra, state=serving.state)
