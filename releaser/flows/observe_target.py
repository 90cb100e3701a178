"""Look at one target outside any rollout: what is recorded of it, and what is there now."""

from __future__ import annotations

from dataclasses import dataclass

from releaser.domain.drift import Difference, differences
from releaser.domain.target import Assignment, Desired, Observation
from releaser.flows.ports import Ports
from releaser.store import drifts, rollouts
from releaser.store.installations import Target
from releaser.store.plain import load_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen, and how it differs from what was recorded just before the look.

    `generation` and `digest` are the target's as of then.
    """

    observation: Observation
    found: tuple[Difference, ...]
    generation: int
    digest: str

    def is_of(self, target: Target) -> bool:
        """Whether nobody has worked there since: a rollout that began and ended meanwhile left something else than was seen."""
        return (target.generation, target.digest) == (self.generation, self.digest)


def observe_target(ports: Ports, *, target_id: int) -> Seen | None:
    """One look, bounded in time; no transaction is open meanwhile. None when it is gone, or a rollout is at work on it.

    Raises `OutsideError` when its engine does not answer.
    """
    with ports.database.reading() as session:
        target = session.get(Target, target_id)
        if target is None or rollouts.holder(session, target_id) is not None:
            return None
        generation, digest = target.generation, target.digest
        recorded, driver = drifts.recorded(target), ports.drivers[target.driver]
        assignment = _assignment(target)
    observation = driver.observe(assignment)
    found = differences(recorded, observation)
    return Seen(observation=observation, found=found, generation=generation, digest=digest)


def _assignment(target: Target) -> Assignment:
    """What a driver is told for a look that belongs to no rollout."""
    installation = target.installation
    runs = Desired(
        version=target.version,
        image=target.image,
        digest=target.digest,
        spec=load_spec(target.running_spec if target.running_spec is not None else target.spec),
    )
    return Assignment(
        target=f"{installation.name}/{target.module.name}@{target.host.name}",
        host=target.host.name,
        address=target.host.address,
        rollout=0,
        attempt=0,
        generation=target.generation,
        desired=runs,
        previous=runs,
    )
