"""Composition root: `Settings` -> the ports that flows get. The only reader of settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from releaser.bell import Bell
from releaser.channels.email import EmailChannel
from releaser.clock import SystemClock
from releaser.domain.target import DriverName
from releaser.errors import InvalidError, OutsideError
from releaser.flows.ports import Ports
from releaser.process import this_process
from releaser.settings import Settings
from releaser.sources.artifacts import ArtifactFiles
from releaser.sources.git import GitRepositories
from releaser.sources.git_version import git_version
from releaser.sources.registry import HttpRegistry
from releaser.sources.registry_auth import read_registry_auth
from releaser.sources.template import TemplateProcess
from releaser.store.in_use import in_use
from releaser.store.session import Database
from releaser.store.upgrade import upgrade
from releaser.targets.compose.driver import ComposeDriver
from releaser.targets.docker.driver import DockerDriver
from releaser.targets.files.driver import FilesDriver
from releaser.targets.hosts.shell import SshAccess
from releaser.targets.outside import OutsideWatch
from releaser.targets.swarm.driver import SwarmDriver


class SettingsError(InvalidError):
    """The environment does not make valid settings."""


class HomeError(OutsideError):
    """The folder of everything kept cannot be made."""


def configured(**given: object) -> Settings:
    """The environment's settings, with what is `given` instead (None and empty are not given).

    Raises `SettingsError` naming the variable.
    """
    try:
        chosen = Settings()
        more = {name: value for name, value in given.items() if value not in (None, "")}
        return Settings.model_validate({**chosen.model_dump(), **more}) if more else chosen
    except ValidationError as error:
        first = error.errors()[0]
        name = f"RELEASER_{str(first['loc'][0]).upper()}"
        raise SettingsError(
            f"{name} is not usable: {first['msg']}.", advice="Change it, or remove it to use the default.", field=name
        ) from error


@contextmanager
def assembled(settings: Settings, *, bell: Bell | None = None) -> Iterator[Ports]:
    """Everything a flow may reach, closed again on leaving. Creates the home folder and the schema when missing."""
    with unprepared(settings, bell=bell) as ports, in_use(ports.database):
        upgrade(ports.database)
        yield ports


@contextmanager
def unprepared(settings: Settings, *, bell: Bell | None = None) -> Iterator[Ports]:
    """The same with the database as it is, or is not: for looking at it, and for putting a backup in its place."""
    _make_home(settings.home)
    credentials = read_registry_auth(settings.registry_auth) if settings.registry_auth is not None else {}
    database = Database(settings.database)
    mail = _mail(settings)
    clock = SystemClock()
    access = SshAccess(key=settings.host_ssh_key, known_hosts=settings.host_ssh_known_hosts)
    driver = DockerDriver(
        clock=clock,
        control_timeout_s=settings.engine_timeout_s,
        pull_timeout_s=settings.pull_timeout_s,
        access=access,
        credentials=credentials,
    )
    swarm = SwarmDriver(
        clock=clock, access=access, control_timeout_s=settings.engine_timeout_s, credentials=credentials
    )
    artifacts = ArtifactFiles(settings.home.absolute() / "artifacts", fetch_timeout_s=settings.pull_timeout_s)
    files = FilesDriver(
        clock=clock,
        fetch=artifacts.fetch,
        access=access,
        control_timeout_s=settings.engine_timeout_s,
        send_timeout_s=settings.pull_timeout_s,
    )
    compose = ComposeDriver(
        clock=clock,
        access=access,
        control_timeout_s=settings.engine_timeout_s,
        pull_timeout_s=settings.pull_timeout_s,
    )
    watch = OutsideWatch(clock=clock)
    try:
        yield Ports(
            database=database,
            clock=clock,
            repositories=GitRepositories(
                protocols=settings.git_protocols.split(","),
                answers_in_s=settings.git_timeout_s,
                ssh_key=settings.ssh_key,
                ssh_known_hosts=settings.ssh_known_hosts,
            ),
            registry=HttpRegistry(credentials=credentials, plain_hosts=settings.plain_hosts),
            drivers={
                DriverName.DOCKER: driver,
                DriverName.FILES: files,
                DriverName.COMPOSE: compose,
                DriverName.SWARM: swarm,
            },
            channels={"email": mail} if mail else {},
            home=settings.home.absolute(),
            address=settings.address,
            owner=this_process(),
            wake=(bell or Bell()).ring,
            sender=settings.mail_from,
            templates=TemplateProcess(),
            artifacts=artifacts,
            watch=watch,
        )
    finally:
        watch.close()
        driver.close()
        files.close()
        swarm.close()
        compose.close()
        database.close()


def probes(settings: Settings) -> dict[str, Callable[[], str]]:
    """What `check_system` looks at besides what the ports reach: name -> one line about it, or the error it raises."""
    mail = _mail(settings)
    return {"git": git_version, **({"mail": mail.check} if mail else {})}


def _mail(settings: Settings) -> EmailChannel | None:
    return EmailChannel(settings.smtp_url, sender=settings.mail_from) if settings.smtp_url else None


def _make_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(
            f"The folder '{home}' cannot be made: {error.strerror}.",
            permanent=True,
            advice="Set RELEASER_HOME to a folder this user may write.",
            field="RELEASER_HOME",
        ) from error
