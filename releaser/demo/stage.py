"""The whole stage of the demonstration: engine, network, registry with images, repository, mail sink, the service.

`set_up` puts it up piece by piece, and whatever way the story ends takes it down in the opposite order.

What does not live here: what is played on it (`story`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from releaser.demo import images
from releaser.demo.engine import Engine, talk
from releaser.demo.folder import Folder
from releaser.demo.install import open_engine
from releaser.demo.mailbox import Mailbox
from releaser.demo.registry import Registry
from releaser.demo.repository import SampleRepository
from releaser.demo.screen import Screen
from releaser.demo.serving import Service

SHOP = "shop"
VERSION_LABEL = "org.opencontainers.image.version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything the story stands on; `digests` are those of the sample's images by version, `network` is its name."""

    folder: Folder
    screen: Screen
    engine: Engine
    registry: Registry
    digests: dict[str, str]
    network: str
    repository: SampleRepository
    mailbox: Mailbox
    service: Service

    @property
    def image(self) -> str:
        """The sample's image without its tag."""
        return f"{self.registry.address}/{SHOP}"

    def container(self, name: str) -> dict[str, Any]:
        """What the engine itself says of a container; `name` is the story's."""
        with talk(self.engine.address) as client:
            found: dict[str, Any] = client.inspect_container(self.engine.unique(name))
            return found

    def containers(self) -> list[str]:
        """Names of all containers that were made here, running or not."""
        ours = {"label": [f"{name}={value}" for name, value in self.engine.labels.items()]}
        with talk(self.engine.address) as client:
            return sorted(one["Names"][0].lstrip("/") for one in client.containers(all=True, filters=ours))


@contextlib.contextmanager
def set_up(folder: Folder, screen: Screen, *, port: int) -> Iterator[Stage]:
    """Put everything up. Raises what its pieces raise, each naming in one line what is missing."""
    with contextlib.ExitStack() as stack:
        screen.chapter("Put up an engine, a registry with images, a repository and a mail server")
        # First of all the engine: it is the only thing that can be missing on a machine of the right kind.
        found: Engine = open_engine(folder.engine, say=screen.say)
        engine = stack.enter_context(found)
        registry = stack.enter_context(Registry(folder.registry, pass_fds=(folder.lock.fileno(),)))
        digests = _publish(engine, registry)
        screen.say(
            f"Images {', '.join(digests)} are in the registry at {registry.address}; 1.1.2 never becomes healthy."
        )
        repository = SampleRepository(folder.repository).make()
        screen.say(f"The sample product's git repository is {_below(repository.origin, folder)}.")
        mailbox = stack.enter_context(Mailbox(folder.mail))
        screen.say(f"Mail is kept in {_below(folder.mail, folder)}.")
        screen.chapter("Start the service")
        settings = {
            "RELEASER_SMTP_URL": f"smtp://{mailbox.host}:{mailbox.port}",
            "RELEASER_MAIL_FROM": "Shop releases <releases@example.com>",
        }
        service = stack.enter_context(Service(folder, port=port, settings=settings))
        screen.command(f"serve --port {port}")
        screen.say(f"It answers on {service.address}, with a database of its own in {_below(folder.home, folder)}.")
        yield Stage(
            folder=folder,
            screen=screen,
            engine=engine,
            registry=registry,
            digests=digests,
            network=_network(engine),
            repository=repository,
            mailbox=mailbox,
            service=service,
        )


def _publish(engine: Engine, registry: Registry) -> dict[str, str]:
    """Build and push the images, then forget them on the engine, so that every pull by digest is a real one."""
    repository = f"{registry.address}/{SHOP}"
    digests = images.publish(engine.address, images.SHOP, repository=repository, labels=engine.labels)
    with talk(engine.address) as client:
        for version in digests:
            client.remove_image(f"{repository}:{version}", force=True)
    return digests


def _network(engine: Engine) -> str:
    """The network of the installation that is updated without a stop."""
    name = engine.unique("shop-front")
    with talk(engine.address) as client:
        client.create_network(name, labels=dict(engine.labels))
    return name


def _below(path: object, folder: Folder) -> str:
    return str(path).replace(str(folder.path), folder.path.name, 1)
