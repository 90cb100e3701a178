"""Services of compose projects that run already, as they would be taken over and stay what they are. Looks only.

A project's folder and files are told by the labels that compose puts on its containers.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from releaser.domain.adoption import Adoptable
from releaser.domain.spec import ComposeSpec
from releaser.errors import RefusedError
from releaser.targets.compose import scripts
from releaser.targets.compose.faults import from_command
from releaser.targets.compose.scene import PROJECT_FILES, service_now
from releaser.targets.docker.container import Label
from releaser.targets.docker.looking import settings
from releaser.targets.docker.scene import Found
from releaser.targets.hosts.fencing import GROUND, q
from releaser.targets.hosts.shell import Shell
from releaser.targets.target import ContainerNotFoundError

_LABEL: Final = "com.docker.compose."
_VERSION: Final = "org.opencontainers.image.version"
_DEFAULTS: Final = frozenset({"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"})


def adoptable(shell: Shell, *, names: tuple[str, ...], project: str, timeout_s: float) -> tuple[Adoptable, ...]:
    """See `targets.target.Adopting`."""
    if names:
        raise RefusedError(
            "Of a compose project services are taken over, not containers.",
            rule="compose-by-project",
            advice="Use --compose-project NAME, with --module SERVICE=MODULE where the names differ.",
            field="container",
        )
    described, images = _asked(shell, project, timeout_s)
    found: dict[str, Found] = {}
    for one in sorted(described, key=lambda one: (not one.is_up, one.name)):
        if one.labels.get(f"{_LABEL}oneoff", "False").lower() != "true":
            found.setdefault(one.labels.get(f"{_LABEL}service", ""), one)
    if not found:
        raise ContainerNotFoundError(
            f"There is no container of a compose project '{project[:80]}' at {shell.address}.",
            permanent=True,
            advice="See `docker compose ls --all` there.",
            project=project,
        )
    return tuple(_described(shell, one, project, images, timeout_s=timeout_s) for _, one in sorted(found.items()))


def _asked(shell: Shell, project: str, timeout_s: float) -> tuple[list[Found], Mapping[str, list[str]]]:
    """The project's containers, and by image under which references a registry gave it."""
    words = shlex.quote("{{.Id}} {{range .RepoDigests}}{{.}} {{end}}")
    script = [
        *GROUND,
        *scripts.commands(("docker",), ()),
        f"ids=$(dock ps -aq --no-trunc --filter {q(f'label={_LABEL}project={project}')})",
        '[ -n "$ids" ] || exit 0',
        'images=$(dock inspect --type container --format "{{.Image}}" $ids | sort -u)',
        f"dock image inspect --format {words} $images 2>/dev/null || :",
        'printf "inspect\\n"; dock inspect --type container $ids',
    ]
    answer = shell.run(script, timeout_s=timeout_s)
    if answer.code:
        raise from_command(answer.code, answer.err, what="show its containers", address=shell.address)
    lines, _, text = answer.out.partition("inspect\n")
    data: Any = json.loads(text or "[]")
    known = {parts[0]: parts[1:] for line in lines.splitlines() if (parts := line.split())}
    return [Found(raw) for raw in data], known


def _described(
    shell: Shell, found: Found, project: str, images: Mapping[str, list[str]], *, timeout_s: float
) -> Adoptable:
    service = found.labels.get(f"{_LABEL}service", "")
    if owner := found.labels.get(Label.TARGET):
        raise RefusedError(
            f"Service {service} of {project} belongs to target {owner} already.",
            rule="adopted-already",
            advice="See `releaser installation list`.",
            field="container",
        )
    image, tag = found.image
    references = sorted(images.get(str(found.raw.get("Image")), ()), key=lambda one: not one.startswith(f"{image}@"))
    folder = found.labels.get(f"{_LABEL}project.working_dir", "")
    spec = ComposeSpec(
        name=f"{project}-{service}",
        folder=folder,
        project=project,
        service=service,
        files=_files(found.labels.get(f"{_LABEL}project.config_files", ""), folder),
    )
    return Adoptable(
        container_id=found.id,
        name=found.name,
        service=service,
        image=image,
        tag=tag,
        digest=found.digest or (references[0].rpartition("@")[2] if references else None),
        version_label=found.labels.get(_VERSION, ""),
        state=found.state,
        started_at=found.instant("StartedAt"),
        spec=spec,
        warnings=tuple(_warnings(found, folder)),
        configuration={**settings(found.raw), PROJECT_FILES: service_now(shell, spec, timeout_s=timeout_s)},
    )


def _files(label: str, folder: str) -> tuple[str, ...]:
    """The files that compose was given, seen from the folder; none where it is the one it finds by itself."""
    names = tuple(one.removeprefix(f"{folder}/") for one in label.split(",") if one)
    return () if len(names) == 1 and names[0] in _DEFAULTS else names


def _warnings(found: Found, folder: str) -> Iterator[str]:
    if not found.is_up:
        yield f"{found.name} does not run ({found.state})"
    if not folder:
        yield f"where the project of {found.name} lies is not known: declare `folder`"
