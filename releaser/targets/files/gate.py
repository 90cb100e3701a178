"""The health gate: one look at the files and the service that should run what is wanted, and the verdict. Nothing waits here.

Healthy means: `current` leads to exactly the wanted artifact, every file of configuration holds what was declared, the service
is active and was not restarted since we started it, and the probe answers where one is declared. *starting* asks to look again
until the deadline; every other verdict is final.
"""

from __future__ import annotations

from collections.abc import Callable

from releaser.domain.spec import FilesSpec, of_kind
from releaser.domain.target import Assignment, Desired, Health, Verdict
from releaser.targets.files.daemon import Service, ServiceState
from releaser.targets.files.scene import Scene, content_hash, look
from releaser.targets.hosts.faults import one_line
from releaser.targets.hosts.shell import Shell
from releaser.targets.probe import Probe


def verify(shell: Shell, assignment: Assignment, *, wanted: Desired | None, probe: Probe, timeout_s: float) -> Verdict:
    """One look. `wanted` None: whatever was there before us."""
    scene = look(shell, assignment, timeout_s=timeout_s)
    if wanted is None:
        return _as_before(scene, of_kind(assignment.desired.spec, FilesSpec))
    spec = of_kind(wanted.spec, FilesSpec)
    service, state = Service.of(spec), scene.service(spec)
    url = (spec.health.http or "").replace("{host}", f"[{shell.name}]" if ":" in shell.name else shell.name)
    checks: tuple[Callable[[], Verdict | None], ...] = (
        lambda: _other(scene, wanted, spec),
        lambda: _ended(scene, service, state, assignment),
        lambda: _probed(url, spec, probe),
    )
    for check in checks:
        verdict = check()
        if verdict is not None:
            return verdict
    return _passed(scene, service, spec, url)


def _as_before(scene: Scene, spec: FilesSpec) -> Verdict:
    state, was = scene.service(spec), scene.was
    if was is None:
        return Verdict(health=Health.HEALTHY, reason="nothing of the attempt is left, as before the rollout")
    if was.current != scene.current:
        return _unhealthy(
            f"current leads to {scene.current or 'nowhere'}, and led to {was.current or 'nowhere'} before"
        )
    if was.active and not state.active:
        health = Health.STARTING if state.starting else Health.EXITED
        return Verdict(health=health, reason=f"the service ran before the rollout, and is {state.said} now")
    return Verdict(health=Health.HEALTHY, reason="it is as before the rollout", weak=True)


def _other(scene: Scene, wanted: Desired, spec: FilesSpec) -> Verdict | None:
    """What is observed has to be what is wanted: the release, and every file of configuration."""
    serving = scene.serving
    if not scene.current:
        return Verdict(health=Health.MISSING, reason=f"{spec.root}/current leads nowhere, not to {wanted.version}")
    if serving is None or not serving.holds(wanted):
        return _unhealthy(f"{spec.root}/current leads to {scene.current}, which is not the wanted {wanted.version}")
    for one in spec.configuration:
        found = scene.files.get(one.path)
        if found != content_hash(one.content):
            return _unhealthy(f"{one.path} {'is not there' if found is None else 'holds something else than declared'}")
    if not scene.is_configured(spec):
        return _unhealthy("another configuration than the wanted one was put in place")
    return None


def _ended(scene: Scene, service: Service, state: ServiceState, assignment: Assignment) -> Verdict | None:
    """Anything but active is final, unless it is on its way up; a restart since our start is as bad as an end."""
    tag, _, pid = scene.started
    attempt = f"{assignment.rollout}-{assignment.attempt}"
    if tag in {attempt, f"{attempt}-back"}:
        if state.restarts:
            return _exited(f"{service.name} was restarted {state.restarts} times", state)
        if state.active and pid is not None and state.pid is not None and pid != state.pid and not service.unit:
            return _exited(f"{service.name} was restarted (it was process {pid}, and is {state.pid} now)", state)
    if state.starting:
        return Verdict(health=Health.STARTING, reason=f"{service.name} is on its way: {one_line(state.said)}")
    if not state.active:
        return _exited(f"{service.name} does not run", state)
    return None


def _exited(reason: str, state: ServiceState) -> Verdict:
    code = f" (exit code {state.exit_code})" if state.exit_code else ""
    said = one_line(state.said)
    return Verdict(health=Health.EXITED, reason=f"{reason}{code}{f'; its last words: {said}' if said else ''}")


def _probed(url: str, spec: FilesSpec, probe: Probe) -> Verdict | None:
    if not url:
        return None
    try:
        status = probe(url, timeout_s=spec.health.timeout_s)
    except (OSError, ValueError) as error:
        return Verdict(health=Health.STARTING, reason=f"{url} does not answer: {one_line(str(error), limit=200)}")
    if status != spec.health.http_status:
        return Verdict(health=Health.STARTING, reason=f"{url} answers {status}, not {spec.health.http_status}")
    return None


def _passed(scene: Scene, service: Service, spec: FilesSpec, url: str) -> Verdict:
    if url:
        return Verdict(
            health=Health.HEALTHY, reason=f"{service.name} is active, {url} answers {spec.health.http_status}"
        )
    _, since_s, _ = scene.started
    # By the host's clock on both sides, which may differ from ours; a whole second, since that is what it tells.
    up_for, wanted = scene.now_s - since_s, spec.health.stay_up_for_s
    if since_s and up_for < wanted:
        reason = f"{service.name} is active for {max(0, up_for)} of {wanted:g} s"
        return Verdict(health=Health.STARTING, reason=reason, weak=True)
    return Verdict(health=Health.HEALTHY, reason=f"{service.name} stayed active for {wanted:g} s (no probe)", weak=True)


def _unhealthy(reason: str) -> Verdict:
    return Verdict(health=Health.UNHEALTHY, reason=reason)
