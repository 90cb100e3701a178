"""What earlier cutovers let expect: quantiles, groups from narrow to wide, and the stated estimate for want of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.domain.experience import (
    LEAST,
    NEWEST,
    Basis,
    Experience,
    Figures,
    Kind,
    Prediction,
    Sample,
    Stated,
    class_of_host,
    method_of,
    quantile,
    told_stop,
)
from releaser.domain.spec import ContainerSpec, Cutover, FilesSpec, FrontKind, FrontSpec, Order, PortBinding
from releaser.domain.target import DriverName

KIND = Kind(module="shop/app", driver=DriverName.DOCKER, host_class="small", method="stop-first")
STATED = Stated(cutover=timedelta(seconds=20), stop=timedelta(seconds=11), rollback=timedelta(seconds=12))


def samples(count: int, *, kind: Kind = KIND, stop_s: float = 1.0) -> list[Sample]:
    return [Sample(kind=kind, cutover_s=2 * stop_s, stop_s=stop_s, rollback_s=None) for _ in range(count)]


def stop(known: list[Sample]) -> Figures:
    return Experience(known).predict(KIND, stated=STATED).stop


@pytest.mark.parametrize(
    ("values", "share", "result"),
    [
        ([7.0], 0.5, 7.0),
        ([1.0, 2.0], 0.5, 1.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        (list(range(1, 11)), 0.9, 9),
        (list(range(1, 12)), 0.9, 10),
        ([1.0, 1.0, 9.0], 0.9, 9.0),
        (list(range(1, 51)), 0.9, 45),
        ([5.0, 4.0], 1.0, 5.0),
    ],
)
def test_quantile_is_the_nearest_rank(values: list[float], share: float, result: float) -> None:
    assert quantile(values, share) == result


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 1.0]))
def test_quantile_is_a_value_that_so_many_do_not_exceed(values: list[float], share: float) -> None:
    found = quantile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) + 1e-9


def test_too_few_cutovers_leave_the_stated_estimate() -> None:
    assert stop(samples(LEAST - 1)) == Figures(p50=STATED.stop, p90=STATED.stop, samples=0, basis=Basis.STATED)


def test_enough_cutovers_of_the_module_on_such_hosts_speak_alone() -> None:
    elsewhere = replace(KIND, host_class="large")
    found = stop([*samples(9, kind=elsewhere, stop_s=30), *samples(LEAST, stop_s=1)])
    assert (found.p50, found.p90) == (timedelta(seconds=1), timedelta(seconds=1))
    assert (found.samples, found.basis) == (LEAST, Basis.MODULE_HOST)


@pytest.mark.parametrize(
    ("other", "basis"),
    [
        (replace(KIND, host_class="large"), Basis.MODULE),
        (replace(KIND, module="shop/api"), Basis.DRIVER_HOST),
        (replace(KIND, module="shop/api", host_class="large"), Basis.STATED),
        (replace(KIND, method="network-swap"), Basis.STATED),
        (replace(KIND, driver=DriverName.FILES), Basis.STATED),
    ],
)
def test_too_few_of_its_own_make_the_group_wider(other: Kind, basis: Basis) -> None:
    assert stop([*samples(LEAST - 1), *samples(LEAST, kind=other)]).basis is basis


def test_only_the_newest_count() -> None:
    found = stop([*samples(NEWEST, stop_s=1), *samples(500, stop_s=60)])
    assert (found.p90, found.samples) == (timedelta(seconds=1), NEWEST)


def test_what_was_not_measured_says_nothing() -> None:
    unmeasured = [replace(one, stop_s=None) for one in samples(20)]
    assert stop([*unmeasured, *samples(LEAST, stop_s=3)]).samples == LEAST


def test_roll_backs_are_predicted_by_those_that_happened() -> None:
    back = [replace(one, cutover_s=None, stop_s=None, rollback_s=4.0) for one in samples(LEAST)]
    found = Experience(back).predict(KIND, stated=STATED)
    assert (found.rollback.p90, found.rollback.samples) == (timedelta(seconds=4), LEAST)
    assert found.stop.basis is found.cutover.basis is Basis.STATED
    assert found.needs == timedelta(seconds=24)


def test_window_must_hold_at_least_a_moment_for_each() -> None:
    assert Prediction().needs == timedelta(seconds=2)


@pytest.mark.parametrize(
    ("address", "stated", "result"),
    [
        ("unix:///run/docker.sock", "", "unix"),
        ("tcp://10.0.0.5:2376", "", "tcp"),
        ("ssh://root@h", "", "ssh"),
        ("local://", "", "local"),
        ("", "", "none"),
        ("ssh://root@h", "small-vm", "small-vm"),
    ],
)
def test_hosts_are_compared_by_what_is_stated_else_by_their_address(address: str, stated: str, result: str) -> None:
    assert class_of_host(address, stated=stated) == result


@pytest.mark.parametrize(
    ("spec", "method"),
    [
        (ContainerSpec(name="a"), "stop-first"),
        (ContainerSpec(name="a", order=Order.START_FIRST), "start-first"),
        (ContainerSpec(name="a", cutover=Cutover.NETWORK_SWAP), "network-swap"),
        (
            ContainerSpec(
                name="a",
                ports=(PortBinding(container_port=1, host_port=1),),
                front=FrontSpec(kind=FrontKind.HAPROXY, port=1),
            ),
            "front",
        ),
        (FilesSpec(name="a", root="/srv/a"), "stop-first"),
    ],
)
def test_method_is_how_one_is_handed_over_to_the_next(spec: ContainerSpec | FilesSpec, method: str) -> None:
    assert method_of(spec) == method


@pytest.mark.parametrize(
    ("measured_s", "told_s"), [(0, 0), (0.01, 1), (1, 1), (1.2, 2), (59.5, 60), (61, 120), (150, 180)]
)
def test_customers_are_told_whole_seconds_and_whole_minutes(measured_s: float, told_s: float) -> None:
    assert told_stop(timedelta(seconds=measured_s)) == timedelta(seconds=told_s)
