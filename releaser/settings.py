"""Environment -> one frozen `Settings`, checked once at start. Only `releaser.assembly` reads it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROTOCOLS = ("file", "https", "ssh", "git", "http")
"""How repositories can be reached at all; whatever else git knows would run programs."""


class Settings(BaseSettings):
    """Every knob of the service; each is the environment variable `RELEASER_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="RELEASER_", frozen=True, extra="ignore")

    home: Path = Field(Path(".releaser"), description="Folder of everything kept: database, repositories' mirrors.")
    database_url: str = Field("", description="SQLAlchemy URL; empty: an SQLite file in `home`.")
    host: str = Field("127.0.0.1", description="Address the service listens on.")
    port: int = Field(8080, ge=0, le=65535, description="Port the service listens on.")
    public_url: str = Field("", description="Address readers use, in notices and feeds; empty: http://host:port.")
    language: str = Field("en", pattern="^(en|ru)$", description="Language of pages when the reader names none.")
    zone: str = Field("UTC", description="IANA zone of dates when the reader has none.")
    smtp_url: str = Field("", description="Mail server, `smtp://user:password@host:port`; empty: mail is not sent.")
    mail_from: str = Field("releases@example.com", description="Sender of notices.")
    engine_timeout_s: float = Field(5.0, gt=0, description="Bound of a control call to an engine, seconds.")
    pull_timeout_s: float = Field(300.0, gt=0, description="Bound of one image pull, seconds.")
    git_timeout_s: float = Field(120.0, gt=0, description="Bound of a git call to a remote, seconds.")
    git_protocols: str = Field(
        "file,https,ssh", description="How repositories may be reached: of file, https, ssh, git, http."
    )
    ssh_key: Path | None = Field(
        None, description="Private key for repositories over ssh; empty: ssh's own configuration."
    )
    ssh_known_hosts: Path | None = Field(None, description="Host keys of repositories over ssh; empty: the user's own.")
    host_ssh_key: Path | None = Field(
        None, description="Private key for hosts that are reached over ssh; empty: ssh's own configuration."
    )
    host_ssh_known_hosts: Path | None = Field(
        None, description="Host keys of hosts that are reached over ssh; empty: the user's own."
    )
    registry_auth: Path | None = Field(
        None, description="Credentials of image registries, a file as `docker login` writes it; empty: none."
    )
    plain_registries: str = Field(
        "", description="Image registries that speak plain HTTP: their `host[:port]`, with commas between."
    )
    worker_threads: int = Field(4, ge=1, le=64, description="Targets worked on at once.")
    tick_s: float = Field(0.5, gt=0, description="Longest time between two looks of the worker, seconds.")

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("git_protocols")
    @classmethod
    def _known_protocols(cls, value: str) -> str:
        words = [word.strip() for word in value.split(",") if word.strip()]
        unknown = [word for word in words if word not in PROTOCOLS]
        if unknown or not words:
            message = f"'{(unknown or [value])[0][:40]}' is none of {', '.join(PROTOCOLS)}"
            raise ValueError(message)
        return ",".join(words)

    @field_validator(
        "ssh_key", "ssh_known_hosts", "host_ssh_key", "host_ssh_known_hosts", "registry_auth", mode="before"
    )
    @classmethod
    def _a_file(cls, value: object) -> object:
        if value in (None, ""):
            return None
        if not Path(str(value)).is_file():
            message = f"there is no file '{str(value)[:200]}'"
            raise ValueError(message)
        return value

    @cached_property
    def plain_hosts(self) -> frozenset[str]:
        """The registries that are spoken with without TLS."""
        return frozenset(filter(None, (word.strip() for word in self.plain_registries.split(","))))

    @cached_property
    def database(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'releaser.db'}"

    @cached_property
    def address(self) -> str:
        """The address readers use."""
        return self.public_url or f"http://{self.host}:{self.port}"
