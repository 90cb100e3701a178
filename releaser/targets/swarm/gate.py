"""The health gate: one look at the service that should run what is wanted, and the verdict. Nothing waits here.

Swarm's own watch is the first witness: while it updates the verdict is *starting*, when it pauses or goes back by itself it is
*failed*. Healthy means: every task that is wanted runs on a node that answers, made from exactly the wanted digest and
configuration, and the probe is answered where one is declared.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from math import floor
from urllib.parse import urlsplit

from releaser.domain.advance import SAYS_NOTHING
from releaser.domain.spec import HealthSpec, SwarmSpec, of_kind
from releaser.domain.target import Assignment, Desired, Health, Verdict
from releaser.targets.docker.faults import one_line
from releaser.targets.docker.scene import engine_time
from releaser.targets.probe import Probe
from releaser.targets.swarm import proxy
from releaser.targets.swarm.client import Swarm
from releaser.targets.swarm.scene import Scene, Service, look
from releaser.targets.swarm.steps import StepName


def verify(swarm: Swarm, assignment: Assignment, *, wanted: Desired | None, probe: Probe) -> Verdict:
    """One look. `wanted` None: whatever was there before us."""
    scene = look(swarm, assignment)
    service = scene.service
    if service is None:
        if wanted is None:
            return Verdict(health=Health.HEALTHY, reason="nothing runs, as before the rollout")
        return Verdict(health=Health.MISSING, reason=f"there is no service of target {assignment.target}")
    checks: tuple[Callable[[], Verdict | None], ...] = (
        lambda: _undone_by_swarm(swarm, scene, service),
        lambda: _other(service, wanted, assignment),
        lambda: _failed(swarm, scene, service, wanted),
        lambda: _not_all(scene, service),
        lambda: _proxied(swarm, assignment, wanted),
        lambda: _probed(swarm, scene, assignment, wanted, probe),
    )
    for check in checks:
        verdict = check()
        if verdict is not None:
            return verdict
    return _passed(swarm, scene, wanted)


def _undone_by_swarm(swarm: Swarm, scene: Scene, service: Service) -> Verdict | None:
    """An engine that pauses or goes back by itself has found a failure."""
    state = service.update_state
    if not state.startswith(("paused", "rollback")):
        return None
    if state == "rollback_started" and not scene.failed:
        return _unhealthy(f"the swarm takes {service.name} back by itself: {service.update_message}")
    what = "paused the update" if state == "paused" else f"took the update back by itself ({state})"
    told = _last_words(swarm, scene)
    return Verdict(
        health=Health.EXITED if any(task.exit_code is not None for task in scene.failed) else Health.UNHEALTHY,
        reason=f"the swarm {what} of {service.name}: {service.update_message}{told}",
    )


def _other(service: Service, wanted: Desired | None, assignment: Assignment) -> Verdict | None:
    """What is observed has to be what is wanted; a service from before us has no configuration to compare.

    On the way forward what somebody changed in the middle of it goes back, and is not held against the version.
    """
    if wanted is None:
        return None
    by_hand = f"{service.name} was changed by hand since the wanted one was told"
    forward = wanted == assignment.desired
    if service.digest != wanted.digest:
        if forward and service.is_from(assignment):
            return _unhealthy(f"{by_hand}, {SAYS_NOTHING}")
        shown = service.digest or service.reference
        return _unhealthy(f"{service.name} runs {shown}, not the wanted {wanted.digest} ({wanted.version})")
    if "releaser.config" not in service.labels or service.runs(wanted):
        return None
    if not service.is_told(wanted):
        return _unhealthy(f"{service.name} was made from another configuration than the wanted one")
    return _unhealthy(f"{by_hand}, {SAYS_NOTHING}" if forward else by_hand)


def _failed(swarm: Swarm, scene: Scene, service: Service, wanted: Desired | None) -> Verdict | None:
    """Tasks that fail while swarm updates are swarm's to judge; at a first installation, and afterwards, nobody else counts."""
    if service.update_state == "updating" or wanted is None:
        return None
    allowed = floor(of_kind(wanted.spec, SwarmSpec).max_failure_ratio * scene.wanted)
    if len(scene.failed) <= allowed:
        return None
    exited = any(task.exit_code is not None for task in scene.failed)
    count = "a task" if len(scene.failed) == 1 else f"{len(scene.failed)} tasks"
    reason = f"{count} of {service.name} failed{_last_words(swarm, scene)}"
    return Verdict(health=Health.EXITED if exited else Health.UNHEALTHY, reason=reason)


def _last_words(swarm: Swarm, scene: Scene) -> str:
    """What is known of the last task that failed."""
    if not scene.failed:
        return ""
    task = scene.failed[0]
    return f"; task {task.slot} on {scene.where([task])}{proxy.last_words(swarm, task)}"


def _not_all(scene: Scene, service: Service) -> Verdict | None:
    lost = f"; {scene.of_lost()}" if scene.of_lost() else ""
    serving, wanted = len(scene.serving), scene.wanted
    if serving < wanted:
        where = f" on {scene.where(scene.serving)}" if scene.serving else ""
        waiting = next((task for task in scene.current if task.is_on_its_way), None)
        told = (
            f"; one is {waiting.state}{f' ({waiting.error})' if waiting.error else ''}" if waiting is not None else ""
        )
        return _starting(f"{serving} of {wanted} tasks of {service.name} run what is wanted{where}{told}{lost}")
    if service.update_state == "updating":
        return _starting(f"all {wanted} tasks of {service.name} run, and the swarm watches them still{lost}")
    return None


def _proxied(swarm: Swarm, assignment: Assignment, wanted: Desired | None) -> Verdict | None:
    spec = _proxied_spec(wanted)
    if spec is None or _comes_before_proxy(assignment):
        return None
    return proxy.lacking(swarm, spec)


def _proxied_spec(wanted: Desired | None) -> SwarmSpec | None:
    spec = of_kind(wanted.spec, SwarmSpec) if wanted is not None else None
    return spec if spec is not None and spec.proxy is not None else None


def _comes_before_proxy(assignment: Assignment) -> bool:
    """At these gates the proxy may have its change before it still; the gate at the end asks."""
    return assignment.gate in {StepName.UPDATE, StepName.RESTORE}


def _probed(swarm: Swarm, scene: Scene, assignment: Assignment, wanted: Desired | None, probe: Probe) -> Verdict | None:
    health = wanted.spec.health if wanted is not None else HealthSpec()
    if health.http is None or (_comes_before_proxy(assignment) and _proxied_spec(wanted) is not None):
        return None
    url = url_of(swarm, health.http)
    try:
        status = probe(url, timeout_s=health.timeout_s)
    except (OSError, ValueError) as error:
        hint = _hint(wanted) if len(scene.serving) >= scene.wanted else ""
        return _starting(f"{url} does not answer: {one_line(str(error), limit=200)}{hint}")
    if status != health.http_status:
        return _starting(f"{url} answers {status}, not {health.http_status}")
    return None


def _hint(wanted: Desired | None) -> str:
    """Where everything runs and nobody answers, the kernel is the first suspect."""
    spec = of_kind(wanted.spec, SwarmSpec) if wanted is not None else None
    if spec is None or spec.endpoint_mode.value == "dnsrr":
        return ""
    return " (every task runs: if the nodes' kernels have no IP_VS, use endpoint_mode dnsrr with a proxy)"


def url_of(swarm: Swarm, url: str) -> str:
    """The probe's URL with `{host}` put in: the machine of the manager that answers, this one for a socket."""
    host = urlsplit(swarm.address).hostname or "127.0.0.1"
    return url.replace("{host}", f"[{host}]" if ":" in host else host)


def _passed(swarm: Swarm, scene: Scene, wanted: Desired | None) -> Verdict:
    lost = f"; {scene.of_lost()}" if scene.of_lost() else ""
    assert scene.service is not None  # noqa: S101 -- looked at before
    told = (
        f"{scene.service.name}: {len(scene.serving)} of {scene.wanted} tasks run on {scene.where(scene.serving)}{lost}"
    )
    health = wanted.spec.health if wanted is not None else HealthSpec(stay_up_for_s=0)
    if health.http or health.command:
        witness = (
            f"{url_of(swarm, health.http)} answers {health.http_status}" if health.http else "the engine's check passes"
        )
        return Verdict(health=Health.HEALTHY, reason=f"{told}; {witness}")
    now = engine_time(str(swarm.ask(lambda manager: manager.info())["SystemTime"]))
    # A node's clock told since when; one that is ahead has not been up for long.
    up_for = min((now - task.told_at for task in scene.serving), default=timedelta(0))
    if up_for < timedelta(seconds=health.stay_up_for_s):
        return Verdict(
            health=Health.STARTING,
            reason=f"{told}; the youngest is up for {max(0.0, up_for.total_seconds()):.1f} of {health.stay_up_for_s:g} s",
            weak=True,
        )
    return Verdict(health=Health.HEALTHY, reason=f"{told}, and stayed up (no check and no probe)", weak=True)


def _starting(reason: str) -> Verdict:
    return Verdict(health=Health.STARTING, reason=reason)


def _unhealthy(reason: str) -> Verdict:
    return Verdict(health=Health.UNHEALTHY, reason=reason)
