from __future__ import annotations

import pytest

from releaser.domain.advance import SAYS_NOTHING
from releaser.errors import ReleaserError
from releaser.targets.docker.faults import from_pull, from_status, one_line
from releaser.targets.target import (
    ContainerNotFoundError,
    DiskFullError,
    EngineRefusedError,
    ImageNotFoundError,
    NameTakenError,
    NetworkNotFoundError,
    PortTakenError,
    RegistryUnreachableError,
)

BIND = "driver failed programming external connectivity on endpoint shop (0f5): "


@pytest.mark.parametrize(
    ("status", "message", "kind", "permanent"),
    [
        (404, "No such container: 0f5", ContainerNotFoundError, True),
        (404, "No such image: registry.test/shop@sha256:11", ImageNotFoundError, True),
        (404, "network front not found", NetworkNotFoundError, True),
        (409, 'Conflict. The container name "/shop" is already in use by container "0f5".', NameTakenError, None),
        (500, BIND + "Bind for 0.0.0.0:8080 failed: port is already allocated", PortTakenError, True),
        (500, BIND + "listen tcp4 127.0.0.1:8080: bind: address already in use", PortTakenError, True),
        (
            500,
            BIND + "Error starting userland proxy: listen tcp6 [::]:8080: bind: address already in use",
            PortTakenError,
            True,
        ),
        (500, "mkdir /var/lib/docker/overlay2/0f5: no space left on device", DiskFullError, True),
        (400, "OCI runtime create failed: exec: no such file", EngineRefusedError, True),
        (500, "failed to create shim task: OCI runtime create failed", EngineRefusedError, True),
        (500, "something went wrong", EngineRefusedError, False),
        (503, "the daemon is shutting down", EngineRefusedError, False),
    ],
)
def test_error_status_becomes_the_error_that_says_what_it_is(
    status: int, message: str, kind: type[ReleaserError], *, permanent: bool | None
) -> None:
    error = from_status(status, message, what="POST /x", address="unix:///e.sock")
    assert type(error) is kind
    assert getattr(error, "permanent", None) is permanent
    if isinstance(error, PortTakenError):
        assert SAYS_NOTHING in str(error), "a version would be blocked for what a host has"
        assert error.facts["port"] == 8080


@pytest.mark.parametrize(
    ("message", "kind", "permanent"),
    [
        ("manifest for shop@sha256:1 not found: manifest unknown: manifest unknown", ImageNotFoundError, True),
        (
            "pull access denied for shop, repository does not exist or may require 'docker login'",
            ImageNotFoundError,
            True,
        ),
        ("unauthorized: authentication required", ImageNotFoundError, True),
        (
            'Get "http://127.0.0.1:5000/v2/": dial tcp 127.0.0.1:5000: connect: connection refused',
            RegistryUnreachableError,
            False,
        ),
        ('Get "https://r.test/v2/": dial tcp: lookup r.test: no such host', RegistryUnreachableError, False),
        ("received unexpected HTTP status: 502 Bad Gateway", RegistryUnreachableError, False),
        ("write /var/lib/docker/tmp/x: no space left on device", DiskFullError, True),
        ("filesystem layer verification failed for digest sha256:1", EngineRefusedError, False),
    ],
)
def test_pull_error_tells_a_missing_image_from_a_missing_registry(
    message: str, kind: type[ReleaserError], *, permanent: bool
) -> None:
    error = from_pull(message, image="r.test/shop", digest="sha256:1", address="unix:///e.sock")
    assert type(error) is kind
    assert getattr(error, "permanent", None) is permanent
    assert error.advice or kind is EngineRefusedError


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\r\n\tb", "a b"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://evil.test\x1b\\link", "link"),
        ("safe\u202egnp.exe", "safe gnp.exe"),
        ("\x9b31mx", "31mx"),
        ("x" * 600, "x" * 499 + "…"),
    ],
)
def test_foreign_text_is_shown_inert_and_short(raw: str, shown: str) -> None:
    assert one_line(raw) == shown
