"""The health gate: one look at the containers that should run what is wanted, and the worst verdict. Nothing waits here.

How one container is judged is the docker driver's (`targets.docker.gate.judge`): compose makes the same containers.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from releaser.domain.spec import ComposeSpec, HealthSpec, of_kind
from releaser.domain.target import Assignment, Desired, Health, Verdict
from releaser.targets.compose import scripts
from releaser.targets.compose.scene import Scene, image_id, look, runs
from releaser.targets.compose.scripts import Places
from releaser.targets.docker.gate import judge
from releaser.targets.docker.scene import Found
from releaser.targets.hosts.shell import Shell
from releaser.targets.probe import Probe

_LAST_LINES = 5
_WORST = (Health.HEALTHY, Health.STARTING, Health.UNHEALTHY, Health.EXITED, Health.MISSING)


class _Host:
    """What the gate asks besides what a container's description says."""

    def __init__(self, shell: Shell, places: Places, now: datetime, timeout_s: float) -> None:
        self._shell, self._places, self._now, self._timeout_s = shell, places, now, timeout_s

    def last_words(self, container_id: str) -> str:
        """What the container wrote last."""
        script = [*scripts.ground(self._places), *scripts.logs(container_id, _LAST_LINES)]
        return self._shell.run(script, timeout_s=self._timeout_s).out

    def now(self) -> datetime:
        """The time by the host's clock."""
        return self._now


def verify(shell: Shell, assignment: Assignment, *, wanted: Desired | None, probe: Probe, timeout_s: float) -> Verdict:
    """One look. `wanted` None: whatever was there before us."""
    spec = of_kind((wanted or assignment.desired).spec, ComposeSpec)
    scene = look(shell, assignment, timeout_s=timeout_s)
    found = _concerned(scene, assignment, wanted)
    if not found:
        return _nothing(scene, assignment, wanted)
    host = _Host(shell, Places.of(spec, assignment), scene.now, timeout_s)
    health = _health(spec, shell) if wanted is not None else HealthSpec(stay_up_for_s=0)
    verdicts = [judge(one, host, assignment, wanted=wanted, health=health, probe=probe) for one in found]
    return max(verdicts, key=lambda one: _WORST.index(one.health))


def _concerned(scene: Scene, assignment: Assignment, wanted: Desired | None) -> tuple[Found, ...]:
    if wanted == assignment.desired and (mine := scene.of_attempt(assignment)):
        return mine
    if wanted is None:
        images = {one.image_id for one in scene.was or ()}
        before = tuple(one for one in scene.before(assignment) if not images or image_id(one) in images)
        stopped = {one.id for one in scene.was or () if not one.running}
        return tuple(one for one in before if one.id not in stopped)
    exact = tuple(one for one in scene.containers if runs(one, wanted))
    return tuple(one for one in exact if one.is_up) or exact or scene.serving


def _nothing(scene: Scene, assignment: Assignment, wanted: Desired | None) -> Verdict:
    if wanted is None and not any(one.running for one in scene.was or ()) and not scene.of_attempt(assignment):
        return Verdict(health=Health.HEALTHY, reason="nothing runs, as before the rollout")
    runs_there = wanted.version if wanted is not None else "what was there before"
    return Verdict(health=Health.MISSING, reason=f"no container of target {assignment.target} runs {runs_there}")


def _health(spec: ComposeSpec, shell: Shell) -> HealthSpec:
    """With the host's name in the probe's URL."""
    name = f"[{shell.name}]" if ":" in shell.name else shell.name
    url = spec.health.http
    return replace(spec.health, http=url.replace("{host}", name) if url is not None else None)
