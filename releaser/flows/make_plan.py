"""Make a rollout's plan: read what is recorded, resolve images, look at every engine, and decide the steps.

Reads and looks only; writing a plan down is `plan_rollout`'s and `start_rollout`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from releaser.domain import selector as selectors
from releaser.domain.drift import (
    Difference,
    DriftKind,
    Recorded,
    can_be_undone_by_same_version,
    differences,
    in_words,
)
from releaser.domain.plan import Passed, Plan, PlannedTarget, RolloutOptions
from releaser.domain.release import ReleaseState
from releaser.domain.spec import ContainerSpec, TargetSpec
from releaser.domain.target import Assignment, Desired, DriverName, Health, Observation
from releaser.domain.version import parse
from releaser.domain.waves import split
from releaser.domain.way import RequiredStop, stops_on_way
from releaser.errors import InvalidError, NotFoundError, OutsideError, RefusedError
from releaser.flows.ports import Ports
from releaser.store import drifts, installations, pins, products, releases, ways
from releaser.store.installations import Installation, Target
from releaser.store.plain import load_spec
from releaser.store.products import Module
from releaser.store.releases import Release
from releaser.targets.target import Driver

_AT_ONCE = 8
_DEPLOYABLE = frozenset({ReleaseState.PROMOTED, ReleaseState.PUBLISHED})


class NothingSelectedError(NotFoundError):
    """The selector names no installation of the product."""


class NoImageError(InvalidError):
    """A module has no image template, so there is nothing to run."""


class NoArtifactError(InvalidError):
    """A module has no artifact template, so there is nothing to put on a host."""


_Digests = dict[tuple[int, bool], tuple[str, str]]
"""(Module id, whether files are wanted of it) -> (image with its tag or address of the artifact, digest)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """One target with what shall run there and what is recorded to run, as data that outlives the session."""

    target_id: int
    installation_id: int
    installation: str
    customer: str
    module: str
    wave: int
    driver: DriverName
    assignment: Assignment
    backwards: str
    recorded: Recorded
    pin: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What an engine showed, or why it did not."""

    observation: Observation | None = None
    installed: bool = False
    fault: str = ""
    found: tuple[Difference, ...] = ()


def make_plan(ports: Ports, *, product: str, version: str, selector: str, options: RolloutOptions) -> Plan:
    """The plan as of now. Raises `InvalidError`, `NotFoundError`, `RefusedError`, `OutsideError` (images, all hosts down)."""
    parsed = selectors.parse(selector)
    digests = _digests(ports, product, version, parsed)
    with ports.database.reading() as session:
        row = products.get(session, product)
        release = releases.get(session, row, version)
        chosen = _chosen(installations.everything(session, product_id=row.id), parsed, release)
        chosen, passed = _not_pinned(chosen, options)
        _check_one_off(chosen, options)
        _check_stops(chosen, release, ways.required_stops(session, row))
        waves = split([one.name for one in chosen], sizes=options.waves)
        wave_of = {name: number for number, names in enumerate(waves, start=1) for name in names}
        wanted = [
            _wanted(target, wave=wave_of[one.name], desired=_desired(target, release, digests))
            for one in chosen
            for target in one.targets
        ]
    seen = _look(ports, wanted)
    targets = tuple(_planned(ports.drivers[one.driver], one, look) for one, look in zip(wanted, seen, strict=True))
    return Plan(
        product=product,
        version=release.version,
        selector=str(parsed),
        options=options,
        targets=targets,
        passed=passed,
    )


def _digests(ports: Ports, product: str, version: str, selector: selectors.Selector) -> _Digests:
    """What the chosen targets are made from: as the candidate recorded it, else as the registry or the artifact says now."""
    with ports.database.reading() as session:
        row = products.get(session, product)
        release = releases.get(session, row, version)
        _check_state(release)
        known = {(image.module_id, False): (image.image, image.digest) for image in release.images}
        chosen = _chosen(installations.everything(session, product_id=row.id), selector, release)
        needed = {(t.module_id, t.driver is DriverName.FILES): t.module for one in chosen for t in one.targets}
    for (module_id, is_file), module in needed.items():
        if (module_id, is_file) in known:
            continue
        if is_file:
            known[module_id, is_file] = _artifact(ports, module, release)
            continue
        if not module.image:
            raise NoImageError(
                f"Module '{module.name}' of '{product}' has no image template.",
                advice="Declare one, such as registry.example.com/app:{version}.",
                field="modules",
            )
        image = module.image.replace("{version}", release.version)
        known[module_id, is_file] = (image, ports.registry.resolve(image))
    return known


def _artifact(ports: Ports, module: Module, release: Release) -> tuple[str, str]:
    if not module.artifact:
        raise NoArtifactError(
            f"Module '{module.name}' has no artifact template, and a target of it is updated by files.",
            advice="Declare one, such as https://files.example.com/app-{version}.tar.gz.",
            field="modules",
        )
    address = module.artifact.replace("{version}", release.version)
    return address, ports.artifacts.resolve(address)


def _check_state(release: Release) -> None:
    if release.state in _DEPLOYABLE:
        return
    if release.state is ReleaseState.YANKED:
        advice = f"It was yanked: {release.yank_reason or 'no reason given'}. Choose another version."
    else:
        advice = f"Promote it first: releaser promote {release.product.name} {release.version}."
    raise RefusedError(
        f"Release {release.version} of '{release.product.name}' is {release.state.value}, so it is not rolled out.",
        rule="release-state",
        advice=advice,
        field="version",
    )


def _chosen(
    everything: Sequence[Installation], selector: selectors.Selector, release: Release
) -> Sequence[Installation]:
    """The installations meant, canaries first, then ring by ring and by name."""
    chosen = [one for one in everything if one.targets and selector.matches(_facts(one, release))]
    if not chosen:
        raise NothingSelectedError(
            f"'{selector}' selects no installation of '{release.product.name}' that has targets.",
            advice="See `releaser installation list`; use 'all' for every one.",
            field="selector",
        )
    return sorted(chosen, key=lambda one: (one.ring != "canary", one.ring, one.name))


def _not_pinned(
    chosen: Sequence[Installation], options: RolloutOptions
) -> tuple[Sequence[Installation], tuple[Passed, ...]]:
    """A single piece of work is for its one installation, pinned or not; a mass rollout passes pinned ones over."""
    if options.one_off or options.unpin:
        return chosen, ()
    passed = tuple(
        Passed(installation=one.name, customer=one.customer.name, reason=pins.in_words(one.pin))
        for one in chosen
        if one.pin is not None
    )
    free = [one for one in chosen if one.pin is None]
    if not free:
        raise RefusedError(
            f"Every installation selected is pinned: {'; '.join(f'{one.installation} is {one.reason}' for one in passed[:5])}.",
            rule="pinned",
            advice="Take them along with --unpin, or unpin one: releaser installation unpin NAME.",
            field="selector",
        )
    return free, passed


def _check_one_off(chosen: Sequence[Installation], options: RolloutOptions) -> None:
    if not options.one_off:
        return
    if len(chosen) != 1:
        raise InvalidError(
            f"A one-off is for one installation, and {len(chosen)} are selected.",
            advice="Name it: --to installation=NAME.",
            field="selector",
        )
    for field, text in (("ticket", options.ticket), ("reason", options.reason)):
        if not text.strip():
            raise InvalidError(
                f"A one-off needs its {field}: it is shown to whoever plans the next rollout.",
                advice=f"Give one with --{field}.",
                field=field,
            )


def _check_stops(chosen: Sequence[Installation], release: Release, stops: Sequence[RequiredStop]) -> None:
    """Refuse to pass a required stop by. Going back passes none."""
    upto = parse(release.version, scheme=release.product.scheme)
    for installation in chosen:
        for target in installation.targets:
            if not target.version:
                continue
            since = parse(target.version, scheme=upto.scheme)
            for stop in stops_on_way(stops, since, upto):
                raise RefusedError(
                    f"Installation '{installation.name}' runs {since}; on the way to {upto} it must not pass {stop.version} "
                    f"by: {stop.reason}",
                    rule="required-stop",
                    advice=f"First: releaser plan {release.product.name} {stop.version} --to "
                    f"installation={installation.name}.",
                    field="version",
                    required_stop=stop.version.text,
                    installation=installation.name,
                )


def _facts(installation: Installation, release: Release) -> dict[str, str]:
    running = next((t.version for t in installation.targets if t.version), "")
    line = parse(running, scheme=release.product.scheme).line if running else ""
    return {
        "customer": installation.customer.name,
        "installation": installation.name,
        "ring": installation.ring,
        "line": line,
        "delivery": installation.delivery,
        **{f"label.{key}": str(value) for key, value in installation.labels.items()},
    }


def _desired(target: Target, release: Release, digests: _Digests) -> Desired:
    is_file = target.driver is DriverName.FILES
    image, digest = digests[target.module_id, is_file]
    repository, _, tag = image.rpartition(":")
    return Desired(
        version=release.version,
        image=repository if repository and "/" not in tag and not is_file else image,
        digest=digest,
        spec=load_spec(target.spec),
    )


def _previous(target: Target) -> Desired | None:
    if not target.digest or target.running_spec is None:
        return None
    return Desired(
        version=target.version,
        image=target.image,
        digest=target.digest,
        spec=load_spec(target.running_spec),
    )


def _wanted(target: Target, *, wave: int, desired: Desired) -> _Wanted:
    """A target with what a driver is told for a look that belongs to no rollout."""
    installation = target.installation
    return _Wanted(
        target_id=target.id,
        installation_id=installation.id,
        installation=installation.name,
        customer=installation.customer.name,
        module=target.module.name,
        wave=wave,
        driver=target.driver,
        backwards=_backwards(target, desired),
        recorded=drifts.recorded(target),
        pin=pins.in_words(installation.pin) if installation.pin is not None else "",
        since=target.drift["since"][:16].replace("T", " ") + "Z" if target.drift else "",
        assignment=Assignment(
            target=f"{installation.name}/{target.module.name}@{target.host.name}",
            host=target.host.name,
            address=target.host.address,
            rollout=0,
            attempt=0,
            generation=target.generation,
            desired=desired,
            previous=_previous(target),
        ),
    )


def _backwards(target: Target, desired: Desired) -> str:
    """A sentence when the update goes back to an older version than the one recorded."""
    scheme = target.installation.product.scheme
    if target.version and parse(desired.version, scheme=scheme) < parse(target.version, scheme=scheme):
        return f"goes back: {target.version} is newer"
    return ""


def _look(ports: Ports, wanted: Sequence[_Wanted]) -> list[_Seen]:
    """Look at every target's engine, several at once, each bounded in time. All down: `OutsideError`."""
    faults: list[OutsideError] = []

    def look(one: _Wanted) -> _Seen:
        try:
            return _seen(ports.drivers[one.driver], one)
        except OutsideError as error:
            faults.append(error)
            return _Seen(fault=str(error))

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        seen = list(pool.map(look, wanted))
    if faults and all(one.fault for one in seen):
        raise faults[0]
    return seen


def _seen(driver: Driver, one: _Wanted) -> _Seen:
    """The truth there; that the wanted version runs is believed only when the health gate says so as well."""
    assignment = one.assignment
    observation = driver.observe(assignment)
    found = differences(one.recorded, observation)
    runs, wanted = observation.runs(assignment.desired), assignment.desired
    if not runs and one.recorded.config_hash is None and assignment.previous is not None:
        # Taken over and not updated yet: it carries no mark of ours, but what it was made from is known.
        runs = assignment.previous == assignment.desired and observation.serving is not None and not found
        return _Seen(observation=observation, installed=runs and _healthy(driver, assignment, None), found=found)
    changed_back = can_be_undone_by_same_version(found) and not _keeps_undeclared(wanted.spec)
    installed = runs and not changed_back and _healthy(driver, assignment, wanted)
    return _Seen(observation=observation, installed=installed, found=found)


def _healthy(driver: Driver, assignment: Assignment, wanted: Desired | None) -> bool:
    return driver.verify(assignment, wanted=wanted).health is Health.HEALTHY


def _planned(driver: Driver, one: _Wanted, look: _Seen) -> PlannedTarget:
    observation = look.observation
    desired, previous = one.assignment.desired, one.assignment.previous
    steps = () if look.installed else driver.plan(desired=desired, previous=previous, observed=observation)
    return PlannedTarget(
        target_id=one.target_id,
        installation_id=one.installation_id,
        installation=one.installation,
        customer=one.customer,
        module=one.module,
        host=one.assignment.host,
        wave=one.wave,
        desired=desired,
        previous=previous,
        steps=steps,
        already_installed=look.installed,
        drift=_drift(one, look.found),
        warning="; ".join(filter(None, (look.fault or one.backwards, one.pin))),
        seen=not look.fault,
        differences=look.found,
    )


def _drift(one: _Wanted, found: Sequence[Difference]) -> str:
    """In words, how what runs differs from what is recorded, and since when that is known."""
    if not found:
        return ""
    known = f" (known since {one.since})" if one.since else ""
    by_hand = any(difference.kind is DriftKind.CONFIGURATION for difference in found)
    kept = (
        "; the update keeps what is not declared" if by_hand and _keeps_undeclared(one.assignment.desired.spec) else ""
    )
    return f"{'changed by hand' if by_hand else 'not as recorded'}{known}: {in_words(found)}{kept}"


def _keeps_undeclared(spec: TargetSpec) -> bool:
    """Whether a hand's change goes on to the next container, so that making it anew changes nothing back."""
    return isinstance(spec, ContainerSpec) and spec.keep_undeclared
