"""The health gate: one look at the container that should run what is wanted, and the verdict. Nothing waits here.

Healthy means: up and never restarted since its start, made from exactly the wanted digest and configuration, passed by the
engine's check where there is one, and answering the probe where one is declared. *starting* asks to look again until
the deadline; every other verdict is final.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from releaser.domain.spec import HealthSpec
from releaser.domain.target import Assignment, Desired, Health, Verdict
from releaser.targets.docker.address import host_of
from releaser.targets.docker.client import Engine
from releaser.targets.docker.container import Label, Made
from releaser.targets.docker.faults import one_line
from releaser.targets.docker.scene import Found, Scene, engine_time, look
from releaser.targets.docker.steps import StepName
from releaser.targets.probe import Probe

_LAST_LINES = 5
BEHIND_OLD: Final = frozenset({StepName.START_OLD, StepName.SWAP_BACK, StepName.FRONT_BACK})
"""The steps of a way back with a gate. Where the same was to be made anew, what is wanted does not tell which way it goes."""


def verify(
    engine: Engine, assignment: Assignment, *, wanted: Desired | None, probe: Probe, scene: Scene | None = None
) -> Verdict:
    """One look, unless `scene` is one. `wanted` None: whatever was there before us."""
    found = _concerned(scene or look(engine, assignment), assignment, wanted)
    if found is None:
        if wanted is None:
            return Verdict(health=Health.HEALTHY, reason="nothing runs, as before the rollout")
        return Verdict(
            health=Health.MISSING, reason=f"no container of target {assignment.target} runs {wanted.version}"
        )
    health = wanted.spec.health if wanted is not None else HealthSpec(stay_up_for_s=0)
    return judge(found, Witness(engine), assignment, wanted=wanted, health=health, probe=probe)


class Witness:
    """What the gate asks besides what a container's description says."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def last_words(self, container_id: str) -> str:
        """What the container wrote last."""
        return self._engine.logs(container_id, lines=_LAST_LINES)

    def now(self) -> datetime:
        """The time by the host's clock."""
        return engine_time(str(self._engine.info()["SystemTime"]))


class Witnesses(Protocol):
    """The same of any host."""

    def last_words(self, container_id: str) -> str:
        """What the container wrote last."""
        ...

    def now(self) -> datetime:
        """The time by the host's clock."""
        ...


def judge(
    found: Found,
    witness: Witnesses,
    assignment: Assignment,
    *,
    wanted: Desired | None,
    health: HealthSpec,
    probe: Probe,
) -> Verdict:
    """One container through every check."""
    if health.http and "{host}" in health.http:
        host = host_of(assignment.address)
        health = replace(health, http=health.http.replace("{host}", f"[{host}]" if ":" in host else host))
    checks: tuple[Callable[[], Verdict | None], ...] = (
        lambda: _ended(witness, found, assignment),
        lambda: _other(found, wanted),
        lambda: _checked(found),
        lambda: _probed(found, health, probe),
    )
    for check in checks:
        verdict = check()
        if verdict is not None:
            return verdict
    return _passed(witness, found, health)


def _concerned(scene: Scene, assignment: Assignment, wanted: Desired | None) -> Found | None:
    """After a cutover the new one (whatever it is called yet), after a roll-back the old one."""
    if wanted is None:
        return scene.old
    forward = wanted == assignment.desired and assignment.gate.partition("#")[0] not in BEHIND_OLD
    first, second = (scene.new, scene.old) if forward else (scene.old, scene.new)
    exact = [found for found in (first, second) if found is not None and found.runs(wanted)]
    if forward:
        # The same version again: the old one may run exactly what is wanted too, but is not what was started.
        return first or next((found for found in exact if found.is_up), None)
    return next((found for found in exact if found.is_up), first)


def _ended(witness: Witnesses, found: Found, assignment: Assignment) -> Verdict | None:
    """Anything but up is final, unless it was never started; a restart since the start is as bad as an end."""
    if found.state == "created":
        return Verdict(health=Health.STARTING, reason=f"{found.name} is not started yet")
    restarted = found.restart_count > 0 and found.is_from(assignment, Made.RELEASE)
    if found.state == "running" and not restarted:
        return None
    if found.state == "paused":
        return Verdict(health=Health.UNHEALTHY, reason=f"{found.name} is paused")
    if found.state == "removing":
        return Verdict(health=Health.MISSING, reason=f"{found.name} is being removed")
    code = int(found.raw["State"].get("ExitCode") or 0)
    told = one_line(witness.last_words(found.id))
    how = f"was restarted {found.restart_count} times" if restarted else "exited"
    oom = ", out of memory" if found.raw["State"].get("OOMKilled") else ""
    said = f"; its last words: {told}" if told else ", without a word"
    return Verdict(health=Health.EXITED, reason=f"{found.name} {how} (exit code {code}{oom}){said}")


def _other(found: Found, wanted: Desired | None) -> Verdict | None:
    """What is observed has to be what is wanted; a container from before us has no configuration to compare."""
    if wanted is None:
        return None
    if found.digest is not None and found.digest != wanted.digest:
        return _unhealthy(f"{found.name} runs {found.digest}, not the wanted {wanted.digest} ({wanted.version})")
    if found.labels.get(Label.TARGET) is not None and not found.runs(wanted):
        return _unhealthy(f"{found.name} was made from another configuration than the wanted one")
    return None


def _checked(found: Found) -> Verdict | None:
    if found.health is Health.STARTING:
        return Verdict(
            health=Health.STARTING, reason=f"the engine's check of {found.name} has not passed yet{_log(found)}"
        )
    if found.health is Health.UNHEALTHY:
        return _unhealthy(f"the engine's check of {found.name} fails{_log(found)}")
    return None


def _log(found: Found) -> str:
    """What the engine's last check said."""
    entries = (found.raw["State"].get("Health") or {}).get("Log") or []
    said = one_line(str(entries[-1].get("Output", "")), limit=200) if entries else ""
    return f" (exit code {entries[-1].get('ExitCode')}: {said})" if entries else ""


def _probed(found: Found, health: HealthSpec, probe: Probe) -> Verdict | None:
    if health.http is None:
        return None
    url = _address(found, health.http)
    if url is None:
        return Verdict(health=Health.STARTING, reason=f"{found.name} has no address to probe yet ({health.http})")
    try:
        status = probe(url, timeout_s=health.timeout_s)
    except (OSError, ValueError) as error:
        return Verdict(health=Health.STARTING, reason=f"{url} does not answer: {one_line(str(error), limit=200)}")
    if status != health.http_status:
        return Verdict(health=Health.STARTING, reason=f"{url} answers {status}, not {health.http_status}")
    return None


def _address(found: Found, url: str) -> str | None:
    """The probe's URL with `{ip}` and `{port}` put in; nothing while the container has none."""
    settings = found.raw["NetworkSettings"]
    networks = [endpoint or {} for endpoint in (settings.get("Networks") or {}).values()]
    address = next((endpoint["IPAddress"] for endpoint in networks if endpoint.get("IPAddress")), "")
    published = [binding for bindings in (settings.get("Ports") or {}).values() for binding in bindings or ()]
    port = next((binding["HostPort"] for binding in published if binding.get("HostPort")), "")
    if ("{ip}" in url and not address) or ("{port}" in url and not port):
        return None
    return url.replace("{ip}", address).replace("{port}", port)


def _passed(witness: Witnesses, found: Found, health: HealthSpec) -> Verdict:
    witnesses = [f"{_address(found, health.http)} answers {health.http_status}"] if health.http else []
    witnesses += ["the engine's check passes"] if found.has_healthcheck else []
    if witnesses:
        return Verdict(health=Health.HEALTHY, reason=f"{found.name} is up, {' and '.join(witnesses)}")
    started = found.instant("StartedAt")
    # By the host's clock on both sides, which may differ from ours.
    up_for = witness.now() - started if started is not None else timedelta(0)
    if up_for < timedelta(seconds=health.stay_up_for_s):
        reason = f"{found.name} is up for {up_for.total_seconds():.1f} of {health.stay_up_for_s:g} s"
        return Verdict(health=Health.STARTING, reason=reason, weak=True)
    reason = f"{found.name} stayed up for {health.stay_up_for_s:g} s (no check and no probe)"
    return Verdict(health=Health.HEALTHY, reason=reason, weak=True)


def _unhealthy(reason: str) -> Verdict:
    return Verdict(health=Health.UNHEALTHY, reason=reason)
