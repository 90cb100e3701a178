"""How long our own certificate holds is told before it ends; and a soak is judged by the check that the image brings."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from releaser.clock import SystemClock
from releaser.domain.spec import HealthSpec, PortBinding
from releaser.domain.target import Observation
from releaser.targets.docker.expiry import holds_until, in_words
from releaser.targets.docker.soak import SoakTooShortError
from tests.targets.docker_world import World


@pytest.fixture(params=["ec", "rsa"])
def certificate(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    kind = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] if request.param == "ec" else ["rsa:2048"]
    made = tmp_path / "cert.pem"
    words = ["openssl", "req", "-x509", "-nodes", "-newkey", *kind, "-keyout", str(tmp_path / "key.pem")]
    subprocess.run([*words, "-out", str(made), "-days", "12", "-subj", "/CN=releaser"], check=True, capture_output=True)
    return made


def test_certificate_ends_soon_it_is_told_in_days_and_not_before(certificate: Path) -> None:
    now = SystemClock().now()
    ends = holds_until(certificate)
    assert ends is not None
    assert abs(ends - now - timedelta(days=12)) < timedelta(minutes=10)
    assert f"{certificate} holds for 11 more days only" in in_words(certificate, now=now)
    assert "holds for 1 more day only" in in_words(certificate, now=ends - timedelta(hours=30))
    assert "has expired" in in_words(certificate, now=ends)
    assert in_words(certificate, now=now - timedelta(days=20)) == ""


@pytest.mark.parametrize(
    "text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"]
)
def test_file_is_no_certificate_nothing_is_said_of_its_end(tmp_path: Path, text: str) -> None:
    (tmp_path / "cert.pem").write_text(text)
    assert holds_until(tmp_path / "cert.pem") is None
    assert in_words(tmp_path / "cert.pem", now=SystemClock().now()) == ""


def test_host_is_reached_without_a_certificate_nothing_is_warned_of(fake_world: World) -> None:
    desired = fake_world.installed("1.0", fake_world.spec())
    observed: Observation = fake_world.driver().observe(fake_world.assignment(desired))
    assert observed.warning == ""


NEITHER = HealthSpec(stay_up_for_s=0)
OWN = HealthSpec(command=("true",))
NEEDED = "needs 7 s (1 s to start + 3 × 2 s)"


@pytest.mark.parametrize(
    ("version", "soak_s", "health"), [("1.2", 7, NEITHER), ("1.2", 0, NEITHER), ("1.1", 2, NEITHER), ("1.2", 3, OWN)]
)
def test_soak_is_as_long_as_the_check_needs_it_is_prepared(
    fake_world: World, version: str, soak_s: float, health: HealthSpec
) -> None:
    desired = fake_world.installed("1.0", fake_world.spec())
    update = fake_world.update_of(desired, version, soak_s=soak_s, health=health)
    (pull, *_) = fake_world.controller().plan(update)
    assert "pulled" in fake_world.driver().apply(pull, update)


def test_soak_ends_before_the_images_own_check_could_fail_it_is_refused_before_anything_is_touched(
    fake_world: World,
) -> None:
    desired = fake_world.installed("1.0", fake_world.spec())
    update = fake_world.update_of(desired, "1.2", soak_s=6.5, health=NEITHER)
    with pytest.raises(SoakTooShortError) as caught:
        fake_world.controller().update(update)
    assert caught.value.permanent
    assert NEEDED in caught.value.detail
    assert "7 or more" in caught.value.advice
    assert fake_world.there(desired.spec.name) == {desired.spec.name: "running"}


def test_soak_is_judged_for_replicas_as_well(fake_world: World) -> None:
    spec = replace(
        fake_world.spec(), replicas=2, networks=("front",), ports=(PortBinding(container_port=80, host_port=0),)
    )
    wanted = replace(spec, soak_s=2, health=NEITHER)
    with pytest.raises(SoakTooShortError):
        fake_world.controller().update(fake_world.assignment(fake_world.desired("1.2", wanted)))
