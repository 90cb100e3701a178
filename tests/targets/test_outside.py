"""Watching a service from outside: what is seen of a stop, and when nothing is said of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from releaser.clock import SystemClock
from releaser.domain.spec import ContainerSpec, FilesSpec, HealthSpec, PortBinding, TargetSpec
from releaser.targets.outside import EVERY_S, OutsideWatch
from releaser.targets.watch import outside_address

TIMEOUT_S = 10.0
"""Much longer than a busy machine takes for what must take less."""


class Service:
    """Answers 200 while it is up; tells how often it was asked and when it was put down and up."""

    def __init__(self) -> None:
        self.up = True
        self.asked = threading.Semaphore(0)
        self.hangs_s = 0.0

    def probe(self, url: str, *, timeout_s: float) -> int:
        del url
        try:
            if not self.up:
                if self.hangs_s:
                    time.sleep(min(self.hangs_s, timeout_s))
                raise ConnectionRefusedError
            return 200
        finally:
            self.asked.release()

    def next_answers(self, count: int = 2) -> None:
        """Return once it was asked so often from now on."""
        while self.asked.acquire(blocking=False):
            pass
        for _ in range(count):
            assert self.asked.acquire(timeout=20), "nobody asks any more"


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def watch(service: Service) -> Iterator[OutsideWatch]:
    made = OutsideWatch(clock=SystemClock(), probe=service.probe)
    yield made
    made.close()


def begin(watch: OutsideWatch) -> None:
    watch.begin(1, "http://shop.test/", status=200, timeout_s=TIMEOUT_S)


def test_service_that_answers_all_the_time_has_no_stop(watch: OutsideWatch, service: Service) -> None:
    begin(watch)
    service.next_answers()
    seen = watch.end(1)
    assert seen is not None
    assert (seen.stopped_at, seen.served_at) == (None, None)


def test_stop_is_measured_from_the_last_answer_to_the_first(watch: OutsideWatch, service: Service) -> None:
    begin(watch)
    service.next_answers()
    began, service.up = time.monotonic(), False
    service.next_answers(5)
    service.up, away_s = True, time.monotonic() - began
    seen = watch.end(1)
    assert seen is not None
    assert seen.stopped_at is not None
    assert seen.served_at is not None
    measured_s = (seen.served_at - seen.stopped_at).total_seconds()
    assert away_s - 0.001 <= measured_s, "a stop is never told shorter than it was"
    assert measured_s < away_s + 2 * EVERY_S + 0.25, "and longer only by how often it is looked"


def test_two_gaps_count_from_the_first_to_the_last(watch: OutsideWatch, service: Service) -> None:
    begin(watch)
    for _ in range(2):
        service.next_answers()
        service.up = False
        service.next_answers()
        service.up = True
    seen = watch.end(1)
    assert seen is not None
    assert seen.stopped_at is not None
    assert seen.served_at is not None
    assert (seen.served_at - seen.stopped_at).total_seconds() > 2 * EVERY_S


def test_service_that_was_away_before_says_nothing(watch: OutsideWatch, service: Service) -> None:
    service.up = False
    begin(watch)
    service.up = True
    assert watch.end(1) is None


def test_service_that_does_not_come_back_says_nothing(watch: OutsideWatch, service: Service) -> None:
    begin(watch)
    service.next_answers()
    service.up = False
    service.next_answers()
    assert watch.end(1) is None


def test_update_that_nobody_watches_says_nothing(watch: OutsideWatch) -> None:
    assert watch.end(7) is None


def test_service_that_hangs_is_given_up_by_its_usual_answers(watch: OutsideWatch, service: Service) -> None:
    begin(watch)
    service.next_answers()
    service.up, service.hangs_s = False, 60.0
    service.next_answers(1)
    service.up = True
    seen = watch.end(1)
    assert seen is not None
    assert seen.served_at is not None
    assert seen.stopped_at is not None
    assert (seen.served_at - seen.stopped_at).total_seconds() < TIMEOUT_S / 2, "it was waited for its whole time-out"


def test_watching_again_goes_on_with_what_was_seen(watch: OutsideWatch, service: Service) -> None:
    begin(watch)
    service.next_answers()
    service.up = False
    service.next_answers()
    begin(watch)  # the next step of the same cutover
    service.up = True
    seen = watch.end(1)
    assert seen is not None
    assert seen.stopped_at is not None


def docker(http: str | None, *, outside: str | None = None, host_port: int = 8080) -> ContainerSpec:
    return ContainerSpec(
        name="app",
        ports=(PortBinding(container_port=80, host_port=host_port),),
        health=HealthSpec(http=http, outside=outside),
    )


@pytest.mark.parametrize(
    ("spec", "address", "url"),
    [
        (docker("http://127.0.0.1:8080/"), "", "http://127.0.0.1:8080/"),
        (docker("http://127.0.0.1:{port}/"), "", "http://127.0.0.1:8080/"),
        (docker("http://127.0.0.1:{port}/", host_port=0), "", ""),
        (docker("http://{ip}:80/"), "", ""),
        (docker("http://{ip}:80/", outside="https://shop.test/"), "", "https://shop.test/"),
        (docker(None), "", ""),
        (FilesSpec(name="a", root="/srv", health=HealthSpec(http="http://{host}:1/")), "ssh://u@h1", "http://h1:1/"),
        (
            FilesSpec(name="a", root="/srv", health=HealthSpec(http="http://{host}:1/")),
            "local://",
            "http://127.0.0.1:1/",
        ),
        (
            FilesSpec(name="a", root="/srv", health=HealthSpec(http="http://{host}:1/")),
            "ssh://[::1]",
            "http://[::1]:1/",
        ),
    ],
)
def test_address_outside_is_one_that_outlives_the_cutover(spec: TargetSpec, address: str, url: str) -> None:
    assert isinstance(spec, ContainerSpec | FilesSpec)
    assert outside_address(spec, address=address or "unix:///run/docker.sock") == url
