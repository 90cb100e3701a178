"""Files from their declaration to the end of a rollout: declared in YAML, planned, put on a host, and taken back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from releaser.clock import SystemClock
from releaser.domain.declaration import InvalidDeclarationError, check
from releaser.domain.release import ReleaseState
from releaser.domain.target import DriverName
from releaser.domain.version import Scheme, parse
from releaser.errors import OutsideError
from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.check_system import check_system
from releaser.flows.export_declaration import export_declaration
from releaser.flows.resolve_images import NoArtifactError
from releaser.sources.artifacts import ArtifactFiles
from releaser.sources.declaration import parse_declaration, to_yaml
from releaser.store import products, releases
from releaser.store.releases import Release
from releaser.store.session import Database
from releaser.store.upgrade import upgrade
from releaser.targets.files.driver import FilesDriver
from tests.fakes.bare_ports import bare_ports
from tests.fakes.clock import FakeClock
from tests.fakes.vendor import Vendor
from tests.targets.files_world import FilesWorld

DECLARED = """
products:
- name: shop
  repository: /srv/shop.git
  modules:
  - {{name: web, artifact: "{artifact}"}}
customers:
- name: acme
  contacts: [{{email: ops@acme.test}}]
hosts:
- {{name: box, address: "{address}"}}
installations:
- name: acme-shop
  customer: acme
  product: shop
  targets:
  - module: web
    host: box
    driver: files
    spec:
      name: acme-web
      root: {folder}/web
      strip: 1
      stop_grace_s: 1
      configuration:
      - path: {folder}/web/conf/app.conf
        mode: "{mode}"
        content: {content}
      validator: [grep, -q, mode, "{{configuration}}{folder}/web/conf/app.conf"]
      service:
        start: [sh, {folder}/service, start, "{{root}}"]
        stop: [sh, {folder}/service, stop, "{{root}}"]
        status: [sh, {folder}/service, status, "{{root}}"]
      health: {{http: "{probe}", deadline_s: 2}}
"""


def text_of(folder: str = "/srv/shop", **given: str) -> str:
    """The declaration's text."""
    values = {
        "folder": folder,
        "artifact": f"{folder}/app-{{version}}.tar.gz",
        "probe": f"http://probe/{folder}/web",
        "address": "local://",
        "content": "mode=one",
        "mode": "0640",
        **given,
    }
    return DECLARED.format(**values)


class FilesVendor(Vendor):
    """A vendor whose product is files; `world` is the one host."""

    world: FilesWorld

    def declare(self, content: str = "mode=one", **given: str) -> None:
        """Apply the declaration with this configuration."""
        declaration = parse_declaration(text_of(str(self.world.folder), content=content, **given))
        apply_declaration(self.ports, declaration=declaration, dry_run=False, prune=False, by="rita")

    def runs(self) -> tuple[str, str] | None:
        """What the service was started with."""
        file = self.world.folder / "web" / "running"
        return cast("tuple[str, str]", tuple(file.read_text().strip().split("|")[:2])) if file.exists() else None


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[FilesVendor]:
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    upgrade(database)
    world = FilesWorld(folder=tmp_path)
    artifacts = ArtifactFiles(tmp_path / "kept")

    def probe(url: str, *, timeout_s: float) -> int:
        return world.probe("probe:/" + url.removeprefix("http://probe/").lstrip("/"), timeout_s=timeout_s)

    driver = FilesDriver(clock=SystemClock(), fetch=artifacts.fetch, probe=probe)
    clock = FakeClock()

    class AnyRepository:
        def check(self, address: str) -> None:
            """Whatever is named is believed."""

    ports = bare_ports(
        database,
        tmp_path,
        clock=clock,
        repositories=AnyRepository(),
        drivers={DriverName.FILES: driver},
        artifacts=artifacts,
    )
    made = FilesVendor(ports=ports, engine=cast("Any", None), clock=clock, stops=True)
    made.world = world
    made.declare()
    with database.transaction() as session:
        product = products.get(session, "shop")
        for text in ("1.0", "1.1", "1.2"):
            version = parse(text, scheme=Scheme.TWO_PART)
            state = {"state": ReleaseState.PUBLISHED, "published_at": clock.now()}
            session.add(
                Release(
                    product_id=product.id,
                    version=version.text,
                    version_key=version.key,
                    line=version.line,
                    kind=version.kind,
                    **state,
                )
            )
        session.flush()
        releases.renumber(session, product)
    yield made
    made.close()


def test_declared_files_are_rolled_out_updated_and_recorded(vendor: FilesVendor) -> None:
    first = vendor.deploy("1.0")
    assert (first["state"], vendor.runs()) == ("succeeded", ("1.0", "mode=one"))
    second = vendor.deploy("1.1")
    assert (second["state"], vendor.runs()) == ("succeeded", ("1.1", "mode=one"))
    (target,) = second["targets"]
    assert [s["name"] for s in target["steps"] if not s["name"].endswith(":healthy")] == [
        "unpack",
        "stage-configuration",
        "validate",
        "back-up",
        "stop-service",
        "place-configuration",
        "switch-link",
        "start-service",
        "clean-up",
    ]
    assert vendor.recorded() == {"acme-shop": "1.1"}
    again = vendor.start("1.1")
    assert (again["state"], again["unchanged"]) == ("succeeded", True)


def test_other_configuration_of_the_same_version_is_rolled_out_like_an_update(vendor: FilesVendor) -> None:
    vendor.deploy("1.0")
    vendor.declare("mode=two")
    facts = vendor.deploy("1.0")
    assert (facts["state"], vendor.runs()) == ("succeeded", ("1.0", "mode=two"))
    (target,) = facts["targets"]
    told = {s["name"]: s["detail"] for s in target["steps"]}
    assert "is there already" in told["unpack"], "nothing is sent twice"


def test_configuration_that_the_validator_refuses_stops_nothing(vendor: FilesVendor) -> None:
    vendor.deploy("1.0")
    before = (vendor.world.folder / "web" / "running").read_text()
    vendor.declare("nonsense")
    facts = vendor.deploy("1.1")
    (target,) = facts["targets"]
    assert target["state"] == "failed"
    assert "validator refused" in target["reason"]
    assert (vendor.world.folder / "web" / "running").read_text() == before, "the very same process runs"


@pytest.mark.parametrize("kind", ["sick", "exits"])
def test_version_that_is_not_healthy_goes_back_with_its_configuration(vendor: FilesVendor, kind: str) -> None:
    vendor.deploy("1.0")
    vendor.declare("mode=two")
    bad = vendor.world.folder / "app-1.2.tar.gz"
    bad.write_bytes((vendor.world.folder / f"app-{kind}.tar.gz").read_bytes())
    facts = vendor.deploy("1.2")
    assert (facts["state"], vendor.runs()) == ("rolled_back", ("1.0", "mode=one"))
    assert vendor.recorded() == {"acme-shop": "1.0"}
    assert [one.name for one in (vendor.world.folder / "web" / "releases").iterdir()] == ["1.0"]


def test_artifact_with_another_sum_than_the_one_beside_it_is_never_unpacked(vendor: FilesVendor) -> None:
    vendor.deploy("1.0")
    (vendor.world.folder / "app-1.1.tar.gz.sha256").write_text(
        hashlib.sha256(b"another").hexdigest() + "  app-1.1.tar.gz\n"
    )
    facts = vendor.deploy("1.1")
    (target,) = facts["targets"]
    assert target["state"] == "failed"
    assert "is sha256:" in target["reason"]
    assert vendor.runs() == ("1.0", "mode=one")


def test_version_without_an_artifact_is_no_plan(vendor: FilesVendor) -> None:
    (vendor.world.folder / "app-1.1.tar.gz").unlink()
    with pytest.raises(OutsideError, match="There is no artifact"):
        vendor.plan("1.1")
    vendor.declare(artifact="")
    with pytest.raises(NoArtifactError, match="no artifact template"):
        vendor.plan("1.0")


def test_exported_declaration_says_the_same_again(vendor: FilesVendor) -> None:
    text = to_yaml(export_declaration(vendor.ports))
    again = apply_declaration(vendor.ports, declaration=parse_declaration(text), dry_run=True, prune=True, by="rita")
    assert again["changes"] == []
    assert "driver: files" in text
    assert "kind" not in text


def test_unknown_key_of_a_files_specification_is_refused_where_it_stands() -> None:
    with pytest.raises(InvalidDeclarationError) as caught:
        parse_declaration(text_of(content="x\n      validater: [true]\n      ports: [80]"), name="declared.yaml")
    told = str(caught.value)
    assert "declared.yaml:29:7 installations[0].targets[0].spec.validater" in told
    assert "Did you mean 'validator'?" in told
    assert "spec.ports" in told, "what only containers have is refused as well"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"address": "unix:///var/run/docker.sock"}, "a container engine's"),
        ({"folder": "relative"}, "no folder for releases"),
        ({"folder": "/srv/../etc"}, "no folder for releases"),
        ({"content": "'x'\n      order: start-first"}, "stop-first"),
        ({"content": "'x'\n      keep: 0"}, "previous releases"),
        ({"mode": "rwx"}, "no mode of a file"),
        ({"artifact": "ftp://files.test/x-{version}"}, "no artifact template"),
        ({"artifact": "https://files.test/x.tar.gz"}, "no artifact template"),
    ],
)
def test_senseless_files_are_refused(given: dict[str, str], told: str) -> None:
    problems = [f"{one} {one.advice}" for one in check(parse_declaration(text_of(**given)))]
    assert any(told in one for one in problems), problems


def test_doctor_looks_at_a_host_of_files(vendor: FilesVendor) -> None:
    (found,) = [one for one in check_system(vendor.ports, probes={}) if one["name"] == "host box"]
    assert found["ok"]
    assert "Linux" in found["detail"]
