"""How what runs differs from what is recorded: one row, one difference."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from releaser.domain.adoption import Adoptable, Basis, guess
from releaser.domain.declaration.spec_rules import spec_faults
from releaser.domain.drift import (
    MADE_BY,
    SOMEBODY,
    US,
    Recorded,
    can_be_undone_by_same_version,
    differences,
    in_words,
)
from releaser.domain.spec import ContainerSpec, Cutover, FrontKind, FrontSpec, PortBinding
from releaser.domain.target import Health, Observation, Role, Running
from releaser.domain.version import InvalidVersionError, Scheme

AT = datetime(2026, 11, 21, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
RUNS = Running(
    container_id="c1",
    name="shop",
    digest=DIGEST,
    version="1.0",
    config_hash="cafe",
    state="running",
    restart_count=0,
    health=Health.HEALTHY,
    role=Role.SERVING,
    rollout=1,
    generation=1,
    configuration={"Memory": "64", "variable KEY": "#12ab", MADE_BY: US},
)
KNOWN = Recorded(version="1.0", digest=DIGEST, config_hash="cafe", configuration=RUNS.configuration)


def seen(*others: Running, **changes: Any) -> Observation:  # noqa: ANN401 -- of a container
    return Observation(at=AT, serving=replace(RUNS, **changes), others=others)


@pytest.mark.parametrize(
    ("observation", "told"),
    [
        (seen(), []),
        (Observation(at=AT, serving=None), ["nothing runs, recorded is 1.0"]),
        (seen(state="exited", health=Health.EXITED), ["shop is exited"]),
        (seen(state="inactive", health=Health.EXITED), ["shop is inactive"]),
        (seen(state="active"), []),
        (seen(state="paused", health=Health.UNHEALTHY), ["shop is paused"]),
        (seen(health=Health.UNHEALTHY), []),
        (
            seen(digest="sha256:" + "b" * 64, version="1.1"),
            [f"another image runs: 1.1 ({'b' * 12}) instead of 1.0 ({'a' * 12})"],
        ),
        (seen(digest=None), []),
        (seen(configuration={**RUNS.configuration, "Memory": "128"}), ["Memory: 64 → 128"]),
        (seen(configuration={**RUNS.configuration, "CapAdd": "[]"}), ["CapAdd: not set → []"]),
        (seen(configuration={**RUNS.configuration, "variable KEY": "#ffff"}), ["variable KEY: changed"]),
        (seen(configuration={"Memory": "64", MADE_BY: US}), ["variable KEY: removed"]),
        (seen(config_hash=None, configuration={MADE_BY: SOMEBODY}), [f"made by: {US} → {SOMEBODY}"]),
        (seen(config_hash=None), ["configuration: cafe → changed by hand"]),
        (seen(replace(RUNS, name="twin")), ["twin runs besides"]),
        (seen(replace(RUNS, name="kept", state="exited")), []),
    ],
)
def test_difference_is_told_in_words(observation: Observation, told: list[str]) -> None:
    assert [str(one) for one in differences(KNOWN, observation)] == told


def test_nothing_recorded_has_no_drift() -> None:
    assert differences(Recorded(version="", digest="", config_hash=None), seen()) == ()


def test_before_the_first_look_only_digest_and_declaration_count() -> None:
    fresh = replace(KNOWN, configuration=None)
    assert differences(fresh, seen(configuration={"Memory": "1"})) == ()


def test_taken_over_container_needs_no_mark_of_ours() -> None:
    taken = replace(KNOWN, config_hash=None, configuration={"Memory": "64", MADE_BY: SOMEBODY})
    assert differences(taken, seen(config_hash=None, configuration={"Memory": "64", MADE_BY: SOMEBODY})) == ()


def test_many_differences_are_cut_short_and_only_configuration_is_undone_by_the_same_version() -> None:
    many = differences(KNOWN, seen(configuration={f"S{n:02}": "1" for n in range(30)}))
    assert in_words(many).endswith("more")
    assert can_be_undone_by_same_version(many)
    assert not can_be_undone_by_same_version(differences(KNOWN, seen(replace(RUNS, name="twin"))))


FOUND = Adoptable(
    container_id="c1",
    name="shop",
    service="",
    image="registry.test/shop",
    tag="latest",
    digest=DIGEST,
    version_label="",
    state="running",
    started_at=AT,
    spec=ContainerSpec(name="shop"),
)


@pytest.mark.parametrize(
    ("found", "given", "by_digest", "version", "basis"),
    [
        (FOUND, "1.2", "1.1", "1.2", Basis.GIVEN),
        (FOUND, "", "1.1", "1.1", Basis.DIGEST),
        (replace(FOUND, version_label="v1.4", tag="1.3"), "", None, "1.4", Basis.LABEL),
        (replace(FOUND, tag="1.3.2"), "", None, "1.3.2", Basis.TAG),
        (replace(FOUND, version_label="main", tag="v2.0"), "", None, "2.0", Basis.TAG),
        (FOUND, "", None, "", Basis.UNKNOWN),
    ],
)
def test_version_that_runs_is_known_or_guessed(
    found: Adoptable, given: str, by_digest: str | None, version: str, basis: Basis
) -> None:
    assert guess(found, scheme=Scheme.TWO_PART, given=given, by_digest=by_digest) == (version, basis)


def test_version_that_is_said_has_to_be_one() -> None:
    with pytest.raises(InvalidVersionError):
        guess(FOUND, scheme=Scheme.TWO_PART, given="newest", by_digest=None)


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"ports": (PortBinding(container_port=80, host_port=80, host_ip=""),)}, True),
        ({"replicas": 2}, False),
        ({"cutover": Cutover.NETWORK_SWAP}, False),
        ({"front": FrontSpec(kind=FrontKind.HAPROXY, port=80, group="web", address="unix:///run/haproxy")}, False),
    ],
)
def test_what_is_copied_from_one_container_goes_to_one(changes: dict[str, Any], fits: bool) -> None:  # noqa: FBT001
    spec = ContainerSpec(name="shop", keep_undeclared=True, **changes)
    assert all(place != ("keep_undeclared",) for place, _, _ in spec_faults(spec)) is fits
