"""Each step, carried out: look, then do what is missing, then tell in one line what was done or found.

Every method is idempotent and may follow a crash of any other at any point. Whatever changes the service names the version that
was looked at: a change of somebody else in between is found by looking again, and a younger lock's by its label then.

The engine's own way back (`rollback: previous`) is not used: it would take the fence's label back too, and goes to whatever
was before the last change, which need not be what was before the rollout.

What does not live here: the order of the steps (`steps`) and whether the outcome is healthy (`gate`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from releaser.domain.spec import SwarmSpec, of_kind
from releaser.domain.target import Assignment, Desired
from releaser.errors import OutsideError
from releaser.targets.docker.container import Label, Made
from releaser.targets.docker.credentials import Credentials
from releaser.targets.swarm import proxy
from releaser.targets.swarm.client import OutOfDateError, Swarm
from releaser.targets.swarm.payload import Before, labels, payload, users_labels, with_labels
from releaser.targets.swarm.proxy import Change
from releaser.targets.swarm.scene import Scene, Service, look
from releaser.targets.swarm.steps import StepName, proxy_of
from releaser.targets.target import NameTakenError, NetworkNotFoundError

_TRIES: Final = 4


class ServiceBusyError(OutsideError):
    """Somebody else updates the service at this moment."""


class ServiceKindError(OutsideError):
    """The service is of a kind that is not updated here."""


class Work:
    """One assignment on one swarm."""

    def __init__(self, swarm: Swarm, assignment: Assignment, *, credentials: Credentials) -> None:
        self._swarm = swarm
        self._assignment = assignment
        self._credentials = credentials
        self._spec = of_kind(assignment.desired.spec, SwarmSpec)
        previous = assignment.previous
        self._spec_before = of_kind(previous.spec, SwarmSpec) if previous is not None else None

    def carry_out(self, name: StepName) -> str:
        """The step of this name; one line for the journal. A service changed meanwhile is looked at again, a few times."""
        actions: Mapping[StepName, Callable[[Scene], str]] = {
            StepName.FIND_IMAGE: self._find_image,
            StepName.CLAIM: self._claim,
            StepName.CREATE: self._update,
            StepName.UPDATE: self._update,
            StepName.PROXY_CREATE: self._create_proxy,
            StepName.PROXY_CHANGE: self._set_proxy,
            StepName.FORGET: self._forget,
            StepName.RESTORE: self._restore,
            StepName.PROXY_BACK: self._proxy_back,
            StepName.LET_GO: self._let_go,
        }
        for _ in range(_TRIES - 1):
            try:
                return actions[name](look(self._swarm, self._assignment))
            except OutOfDateError:
                continue
        return actions[name](look(self._swarm, self._assignment))

    # Prepare

    def _find_image(self, scene: Scene) -> str:
        """The nodes pull for themselves; here it is made sure that there is something to pull, and everything else to make it."""
        desired = self._assignment.desired
        self._check_owner(scene)
        for network in self._spec.networks:
            self._network(network)
        self._swarm.ask(lambda manager: manager.image_there(desired.image, desired.digest, self._credentials))
        return f"the registry has {desired.reference}"

    def _network(self, name: str) -> str:
        """The id of a network that a service can be on."""
        found = self._swarm.ask(lambda manager: manager.network(name))
        if found is None or found.get("Scope") != "swarm":
            what = "has no network" if found is None else "cannot use for services the network"
            raise NetworkNotFoundError(
                f"The swarm of {self._swarm.address} {what} '{name}', which target {self._assignment.target} wants.",
                permanent=True,
                advice=f"Correct the name, or create it there: docker network create --driver overlay {name}",
                network=name,
            )
        return str(found["Id"])

    def _payload(
        self, wanted: Desired, ours: Mapping[str, str], *, base: Mapping[str, Any] | None, before: SwarmSpec | None
    ) -> dict[str, Any]:
        spec = of_kind(wanted.spec, SwarmSpec)
        ids = {name: self._network(name) for name in spec.networks}
        for name in before.networks if before is not None and base is not None else ():
            # One that is gone meanwhile is nothing to leave.
            found = self._swarm.ask(lambda manager, name=name: manager.network(name))  # type: ignore[misc]  # bound now
            ids.setdefault(name, str((found or {}).get("Id") or name))
        return payload(wanted, ours, networks=ids, base=base, declared_before=before)

    def _check_owner(self, scene: Scene) -> None:
        if scene.intruder is not None:
            raise NameTakenError(
                f"Service {scene.intruder.name} belongs to target {scene.intruder.labels.get(Label.TARGET)}.",
                advice="Choose another name for the target, or remove the service.",
                field="name",
            )
        if scene.service is not None and scene.service.replicas is None:
            raise ServiceKindError(
                f"Service {scene.service.name} is one of each node, or a job; only replicated services are updated here.",
                permanent=True,
                advice="Make it a replicated one, or update it by other means.",
            )

    def _claim(self, scene: Scene) -> str:
        """Mark the service as ours and keep in it what it was like; its tasks are not touched."""
        self._check_owner(scene)
        service = scene.service
        if service is None:
            return "there is no service yet"
        if service.update_state == "updating" and Label.TARGET.value not in service.labels:
            raise ServiceBusyError(
                f"Service {service.name} is being updated by somebody else.",
                permanent=False,
                advice="Wait until `docker service ls` shows that it is done.",
            )
        before = self._before(service)
        if service.number(Label.GENERATION) == self._assignment.generation and service.before == before:
            return f"{service.name} is claimed already"
        self._post(
            service,
            with_labels(
                service.spec,
                TARGET=self._assignment.target,
                GENERATION=str(self._assignment.generation),
                BEFORE=before.to_label(),
            ),
        )
        return f"claimed {service.name}, keeping what it is now"

    def _before(self, service: Service) -> Before:
        """What to go back to: what an attempt that ended nowhere remembers, unless what is recorded runs again."""
        remembered, previous = service.before, self._assignment.previous
        if remembered is not None and (service.is_from(self._assignment) or not (previous and service.runs(previous))):
            return remembered
        now = with_labels(service.spec, BEFORE=None)
        return Before(rollout=self._assignment.rollout, attempt=self._assignment.attempt, spec=now)

    # Cut over

    def _update(self, scene: Scene) -> str:
        desired = self._assignment.desired
        self._check_owner(scene)
        service = scene.service
        if service is None:
            return self._create(
                desired, Before(rollout=self._assignment.rollout, attempt=self._assignment.attempt, spec=None)
            )
        if service.is_from(self._assignment) and service.runs(desired) and self._role(service) is Made.RELEASE:
            return f"{service.name} is told already"
        ours = labels(self._assignment, desired, made=Made.RELEASE, before=self._before(service))
        base = service.before.spec if service.before is not None else service.spec
        made = self._payload(desired, ours, base=base, before=self._spec_before)
        self._post(service, made, image=desired.image)
        order = f"{self._spec.order.value}, {self._spec.parallel or 'all'} at a time"
        return f"told {service.name} to run {desired.reference} ({order})"

    def _role(self, service: Service) -> Made | None:
        role = service.labels.get(Label.ROLE, "")
        return Made(role) if role in set(Made) else None

    def _create(self, wanted: Desired, before: Before | None) -> str:
        """If swarm says that the name is taken, by us in a call that "failed", that one is ours."""
        made = Made.RELEASE if wanted is self._assignment.desired else Made.RESTORED
        ours = labels(self._assignment, wanted, made=made, before=before)
        body = self._payload(wanted, ours, base=None, before=None)
        try:
            self._swarm.ask(
                lambda manager: manager.create_service(body, image=wanted.image, credentials=self._credentials)
            )
        except NameTakenError:
            there = look(self._swarm, self._assignment).service
            if there is None or not there.is_from(self._assignment):
                raise
        return f"created {wanted.spec.name} from {wanted.reference}"

    def _create_proxy(self, _: Scene) -> str:
        """In preparing nothing may stop: only where the target is new does nobody use what is there."""
        first = self._assignment.previous is None
        return self._ensure_proxy(self._assignment.desired, Change.OTHER if first else Change.NONE)

    def _set_proxy(self, _: Scene) -> str:
        return self._ensure_proxy(self._assignment.desired, Change.ANY)

    def _ensure_proxy(self, wanted: Desired, change: Change) -> str:
        return proxy.ensure(self._swarm, self._assignment, wanted, credentials=self._credentials, change=change)

    # Commit, and what ends a way back

    def _forget(self, scene: Scene) -> str:
        service = scene.service
        if service is None or service.before is None:
            return "nothing is kept of what was before"
        self._post(service, with_labels(service.spec, BEFORE=None))
        return f"{service.name} no longer keeps what was before"

    def _let_go(self, scene: Scene) -> str:
        told = self._forget(scene)
        if self._spec.proxy is not None or (self._spec_before is not None and self._spec_before.proxy is not None):
            return told
        # One that nobody declares was left over by an attempt with another specification.
        removed = proxy.remove(self._swarm, self._assignment, self._spec, only_ours=True)
        return f"{told}; {removed}" if removed.startswith("removed") else told

    # Back

    def _restore(self, scene: Scene) -> str:
        service, previous = scene.service, self._assignment.previous
        if service is None:
            return "there is no service, as before" if previous is None else self._create(previous, None)
        before = service.before
        if before is None:
            return self._restore_recorded(service, previous)
        if before.spec is None:
            self._swarm.ask(lambda manager: manager.remove_service(service.id))
            return f"removed {service.name}, which was not there before"
        ours = {"TARGET": self._assignment.target, "GENERATION": str(self._assignment.generation)}
        wanted = with_labels(before.spec, **ours, BEFORE=before.to_label())
        # One that swarm took back or paused by itself is told again, so that it begins anew.
        if _same(service.spec, wanted) and not service.update_state.startswith(("paused", "rollback")):
            return f"{service.name} is told already to be what it was before"
        self._post(service, wanted)
        return f"told {service.name} to be what it was before"

    def _restore_recorded(self, service: Service, previous: Desired | None) -> str:
        """Nothing is kept: this attempt had not begun, or is over; what is recorded is told only where we changed it."""
        if previous is None or service.runs(previous) or not service.is_from(self._assignment):
            return f"nothing was changed of {service.name}"
        ours = labels(self._assignment, previous, made=Made.RESTORED, before=None)
        made = self._payload(previous, ours, base=service.spec, before=self._spec)
        self._post(service, made, image=previous.image)
        return f"told {service.name} to run {previous.reference} again"

    def _proxy_back(self, _: Scene) -> str:
        previous = self._assignment.previous
        if previous is None:
            return proxy.remove(self._swarm, self._assignment, self._spec)
        planned = proxy_of(of_kind(previous.spec, SwarmSpec)) != proxy_of(self._spec)
        return self._ensure_proxy(previous, Change.ANY if planned else Change.OTHER)

    def _post(self, service: Service, made: Mapping[str, Any], *, image: str = "") -> None:
        self._swarm.ask(
            lambda manager: manager.update_service(
                service.id,
                made,
                version=service.version,
                image=image,
                credentials=self._credentials if image else None,
            )
        )


def _same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a service is told all of this already."""
    keys = {*found, *wanted} - {"Labels"}
    labels_equal = users_labels(found) == users_labels(wanted) and all(
        (found.get("Labels") or {}).get(label.value) == (wanted.get("Labels") or {}).get(label.value) for label in Label
    )
    return labels_equal and all((found.get(key) or None) == (wanted.get(key) or None) for key in keys)
