"""A compose project that its owner started: taken over, updated, resized and drifted, by the real service with real compose."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from releaser.assembly import assembled
from releaser.demo.engine import Engine
from releaser.demo.images import Sample, publish
from releaser.demo.registry import Registry
from releaser.domain.declaration import DeclaredInstallation
from releaser.domain.operation import Operation, OperationKind
from releaser.domain.plan import RolloutOptions
from releaser.domain.target import DriverName
from releaser.flows.adopt_installation import ToAdopt, adopt_installation
from releaser.flows.announce_notice import announce_notice
from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.export_declaration import export_declaration
from releaser.flows.notice_gate import NoticeRequiredError
from releaser.flows.scale_installation import scale_installation
from releaser.flows.show_rollout import show_rollout
from releaser.sources.declaration import parse_declaration
from releaser.targets.hosts.shell import LOCAL, Shell, SshAccess
from tests import needs
from tests.fakes.fronted_world import deploy, publish_releases, settings, work

_PROJECT = "story-shop"


@pytest.fixture
def shell(engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    """The machine, whose docker is the tests' engine."""
    needs.program("docker-compose", of="compose")
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return Shell(LOCAL, access=SshAccess(), sockets=None, connect_timeout_s=5)


def on_host(shell: Shell, command: str) -> str:
    answer = shell.run([command], timeout_s=60)
    assert not answer.code, answer.err
    return answer.out


def test_compose_project_taken_over_updated_and_resized(
    engine: Engine, registry: Registry, shell: Shell, tmp_path: Path
) -> None:
    image = f"{registry.address}/story-compose"
    digests = publish(engine.address, [Sample(version="1.0"), Sample(version="1.1")], repository=image)
    folder = tmp_path / "it's a shop"
    folder.mkdir()
    service = {
        "image": f"{image}:1.0",
        "network_mode": "bridge",
        "ports": ["127.0.0.1::8080"],
        "environment": ["A=$$b"],
    }
    (folder / "compose.yaml").write_text(json.dumps({"services": {"web": service}}))
    up = f"cd {shlex.quote(str(folder))} && docker-compose -p {_PROJECT} up -d"
    filters = f"--filter label=com.docker.compose.project={_PROJECT}"
    on_host(shell, f"git init -q {shlex.quote(str(tmp_path / 'repository'))}")
    try:
        on_host(shell, up)
        with assembled(settings(tmp_path / "home")) as ports:
            text = f"""
products:
  - {{name: shop, repository: {tmp_path}/repository, modules: [{{name: web, image: "{image}:{{version}}"}}]}}
customers:
  - name: acme
    regulation: {{lead_full: 0, lead_partial: 0, lead_none: 0, emergency_hours: 0}}
    contacts: [{{email: operations@acme.test}}]
"""
            apply_declaration(ports, declaration=parse_declaration(text), dry_run=False, prune=False, by="rita")
            publish_releases(ports, digests, image=image)
            what = ToAdopt(
                installation=DeclaredInstallation(name="acme-shop", customer="acme", product="shop"),
                host="host-1",
                address=LOCAL,
                project=_PROJECT,
                driver=DriverName.COMPOSE,
            )
            adopted = adopt_installation(ports, what=what, dry_run=False, by="rita")
            (target,) = adopted["targets"]
            assert (target["version"], target["spec"]["service"], target["spec"]["folder"]) == (
                "1.0",
                "web",
                str(folder),
            )
            done = deploy(ports, "1.1")
            assert done["state"] == "succeeded"
            assert done["plan"]["stops"][0]["stop"] == "full", "compose stops it, and the plan says so"
            operation = Operation(kind=OperationKind.RESIZE, module="web", memory_mb=64)

            def resized() -> int:
                return int(
                    scale_installation(
                        ports,
                        installation="acme-shop",
                        operation=operation,
                        by="rita",
                        options=RolloutOptions(starts_at=datetime.now(UTC)),
                    )["id"]
                )

            with pytest.raises(NoticeRequiredError) as caught:
                resized()
            announce_notice(ports, notice_id=int(str(caught.value.facts["notice"])), by="rita")
            rollout_id = resized()
            work(ports)
            shown = show_rollout(ports, rollout_id=rollout_id)
            assert shown["state"] == "succeeded", shown
            (found,) = json.loads(on_host(shell, f"docker inspect $(docker ps -q {filters})"))
            assert (found["HostConfig"]["Memory"], found["Config"]["Image"]) == (
                64 * 2**20,
                f"{image}@{digests['1.1']}",
            )
            assert "A=$b" in found["Config"]["Env"], "what the project says is as it was"
            (one,) = export_declaration(ports)["installations"]
            assert (one["targets"][0]["driver"], one["targets"][0]["spec"]["memory_mb"]) == ("compose", 64)
    finally:
        on_host(shell, f"docker ps -aq {filters} | xargs -r docker rm -f -v")
