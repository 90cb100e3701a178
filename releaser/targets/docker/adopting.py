"""Containers that run already, as they would be taken over. Looks only; nothing is touched.

What does not live here: what can be declared of a container (`declaring`), and writing it down (`flows.adopt_installation`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from releaser.domain.adoption import Adoptable
from releaser.errors import RefusedError
from releaser.targets.docker import cloning, declaring
from releaser.targets.docker.client import Engine
from releaser.targets.docker.container import Label
from releaser.targets.docker.looking import settings
from releaser.targets.docker.scene import Found
from releaser.targets.target import ContainerNotFoundError

_PROJECT: Final = "com.docker.compose.project"
_SERVICE: Final = "com.docker.compose.service"
_ONE_OFF: Final = "com.docker.compose.oneoff"
_SWARM: Final = "com.docker.swarm.service.name"
_VERSION: Final = "org.opencontainers.image.version"


def adoptable(engine: Engine, *, names: tuple[str, ...], project: str) -> tuple[Adoptable, ...]:
    """See `targets.target.Adopting`."""
    found = list(_of_project(engine, project)) if project else []
    for name in names:
        raw = engine.container(name)
        if raw is None:
            raise ContainerNotFoundError(
                f"There is no container '{name[:80]}' at {engine.address}.",
                permanent=True,
                advice="See `docker ps --all` there.",
                container=name,
            )
        found.append(Found(raw))
    everything = _everything(engine)
    return tuple(_described(engine, one, everything) for one in found)


def _of_project(engine: Engine, project: str) -> Iterator[Found]:
    listed = engine.containers(label=f"{_PROJECT}={project}")
    found = [Found(raw) for one in listed if (raw := engine.container(str(one["Id"]))) is not None]
    found = [one for one in found if one.labels.get(_ONE_OFF, "False").lower() != "true"]
    if not found:
        raise ContainerNotFoundError(
            f"There is no container of a compose project '{project[:80]}' at {engine.address}.",
            permanent=True,
            advice="See `docker compose ls --all` there.",
            project=project,
        )
    yield from sorted(found, key=lambda one: one.name)


def _everything(engine: Engine) -> list[Found]:
    """Every container of the host: some of them tell what stands in the way."""
    return [Found(raw) for one in engine.containers() if (raw := engine.container(str(one["Id"]))) is not None]


def _described(engine: Engine, found: Found, everything: list[Found]) -> Adoptable:
    _check(found)
    body = cloning.clone(engine, found)
    spec = declaring.declared(found.raw, body)
    image, tag = found.image
    if image.startswith("sha256") or (not tag and found.digest is None):
        image, tag = _image_names(engine, found)
    return Adoptable(
        container_id=found.id,
        name=found.name,
        service=found.labels.get(_SERVICE, ""),
        image=image,
        tag=tag,
        digest=found.digest or digest_of_image(engine, found, image),
        version_label=found.labels.get(_VERSION, ""),
        state=found.state,
        started_at=found.instant("StartedAt"),
        spec=spec,
        kept=declaring.undeclared(body, spec),
        warnings=tuple(_warnings(engine, found, everything)),
        configuration=settings(found.raw),
    )


def _check(found: Found) -> None:
    if owner := found.labels.get(Label.TARGET):
        raise RefusedError(
            f"Container {found.name} belongs to target {owner} already.",
            rule="adopted-already",
            advice="See `releaser installation list`.",
            field="container",
        )
    if service := found.labels.get(_SWARM):
        raise RefusedError(
            f"Container {found.name} is a task of the swarm service '{service}': swarm would replace what is changed on it.",
            rule="swarm-service",
            advice="Services of a swarm cannot be taken over container by container.",
            field="container",
        )


def _warnings(engine: Engine, found: Found, everything: list[Found]) -> Iterator[str]:
    if not found.is_up:
        yield f"{found.name} does not run ({found.state})"
    if found.raw["HostConfig"].get("AutoRemove"):
        yield f"{found.name} was started with --rm: it is gone as soon as it stops"
    if engine.image(str(found.raw["Image"])) is None:
        yield f"the image of {found.name} is gone from the host: what it brought counts as set by hand"
    if found.labels.get(_PROJECT):
        yield f"do not run `docker compose up` for {found.labels.get(_SERVICE)} any more: it would put back its own version"
    for other in everything:
        host = other.raw["HostConfig"]
        if any(host.get(key) == f"container:{found.id}" for key in ("IpcMode", "PidMode")):
            yield f"{other.name} lives in the namespaces of {found.name} and has to be made anew after each update"
        if "watchtower" in other.image[0] and other.is_up:
            yield f"{other.name} updates containers of this host too: stop it, or label {found.name} so that it is left alone"


def _image_names(engine: Engine, found: Found) -> tuple[str, str]:
    """For a container made from an id: any name its image has."""
    raw = engine.image(str(found.raw["Image"])) or {}
    for reference in sorted(map(str, raw.get("RepoTags") or ())):
        repository, _, tag = reference.rpartition(":")
        return repository, tag
    for reference in sorted(map(str, raw.get("RepoDigests") or ())):
        return reference.partition("@")[0], ""
    return found.image


def digest_of_image(engine: Engine, found: Found, image: str) -> str | None:
    """For a container made from a tag: under which digest its image came from `image`'s repository, else from any."""
    if found.digest is not None:
        return None
    raw = engine.image(str(found.raw["Image"])) or {}
    references = [str(reference) for reference in raw.get("RepoDigests") or ()]
    best = sorted(references, key=lambda reference: not reference.startswith(image + "@"))
    return best[0].rpartition("@")[2] if best else None
