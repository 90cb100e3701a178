"""Resolving tags: against a real registry, and against a small transport for what a real one rarely does."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from collections.abc import Callable

import httpx2
import pytest

from releaser.demo.ports import free_port
from releaser.demo.registry import Registry
from releaser.errors import OutsideError
from releaser.sources.registry import HttpRegistry, parse_reference
from releaser.sources.source import (
    ImageNotFoundError,
    InvalidImageReferenceError,
    RegistryRefusedError,
    RegistryUnreachableError,
)

DIGEST = "sha256:" + "a" * 64
IMAGE = "registry.example.com/team/app:1.1"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def push(registry: Registry, name: str, tag: str, content: bytes) -> str:
    """Push an image of one empty configuration and one layer; answers its digest."""
    with httpx2.Client(base_url=f"http://{registry.address}/v2/{name}/", trust_env=False) as client:
        blobs = []
        for blob in (b"{}", content):
            digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
            place = client.post("blobs/uploads/").headers["location"]
            client.put(httpx2.URL(place).copy_merge_params({"digest": digest}), content=blob).raise_for_status()
            blobs.append({"digest": digest, "size": len(blob), "mediaType": "application/octet-stream"})
        body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": blobs[0], "layers": blobs[1:]}).encode()
        client.put(f"manifests/{tag}", content=body, headers={"Content-Type": MANIFEST}).raise_for_status()
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def test_tag_resolves_to_what_the_registry_has_now(registry: Registry) -> None:
    image = f"{registry.address}/resolve/app:1.1"
    first = push(registry, "resolve/app", "1.1", b"one")
    assert HttpRegistry().resolve(image) == first
    second = push(registry, "resolve/app", "1.1", b"two")
    assert HttpRegistry().resolve(image) == second != first
    assert HttpRegistry().resolve(f"{registry.address}/resolve/app@{first}") == first


@pytest.mark.parametrize("name", ["resolve/app:none", "resolve/nothing:1.1"])
def test_image_the_registry_does_not_have_is_told(registry: Registry, name: str) -> None:
    with pytest.raises(ImageNotFoundError, match="push it") as caught:
        HttpRegistry().resolve(f"{registry.address}/{name}")
    assert caught.value.permanent


def test_registry_that_is_not_there_may_come_back() -> None:
    with pytest.raises(RegistryUnreachableError, match="cannot be reached") as caught:
        HttpRegistry(timeout_s=2).resolve(f"127.0.0.1:{free_port()}/app:1.1")
    assert not caught.value.permanent


def test_registry_named_as_plain_is_asked_without_tls_and_no_other() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.scheme)
        return httpx2.Response(200, headers={"docker-content-digest": DIGEST})

    transport = httpx2.MockTransport(answer)
    registry = HttpRegistry(plain_hosts=["registry.lan:5000"], transport=transport)
    assert [registry.resolve(f"{host}/app:1") for host in ("registry.lan:5000", "registry.lan")] == [DIGEST, DIGEST]
    assert asked == ["http", "https"]


def test_registry_that_hangs_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(RegistryUnreachableError, match="in time") as caught:
            HttpRegistry(timeout_s=0.2).resolve(f"127.0.0.1:{port}/app:1.1")
    assert not caught.value.permanent


Answering = Callable[[httpx2.Request], httpx2.Response]


def asked(answer: Answering, **options: object) -> HttpRegistry:
    return HttpRegistry(transport=httpx2.MockTransport(answer), **options)  # type: ignore[arg-type]


def test_registry_that_cannot_head_is_asked_by_get() -> None:
    body = b'{"schemaVersion": 2}'

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "HEAD":
            return httpx2.Response(405)
        assert "application/vnd.oci.image.index.v1+json" in request.headers["accept"]
        return httpx2.Response(200, content=body)

    assert asked(answer).resolve(IMAGE) == f"sha256:{hashlib.sha256(body).hexdigest()}"


def test_manifest_that_is_not_what_its_digest_says_is_refused() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=b"{}", headers={"Docker-Content-Digest": "wrong"})

    with pytest.raises(RegistryRefusedError, match="digest"):
        asked(answer).resolve(IMAGE)


def test_other_digest_than_asked_for_is_refused() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"Docker-Content-Digest": DIGEST})

    with pytest.raises(RegistryRefusedError, match="another digest"):
        asked(answer).resolve(f"registry.example.com/app@sha256:{'b' * 64}")


def test_endless_manifest_is_not_read_to_its_end() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=b"x" * (5 * 1024 * 1024))

    with pytest.raises(RegistryRefusedError, match="larger than"):
        asked(answer).resolve(IMAGE)


@pytest.mark.parametrize(
    ("status", "kind", "permanent"),
    [
        (404, ImageNotFoundError, True),
        (403, RegistryRefusedError, True),
        (401, RegistryRefusedError, True),
        (302, RegistryRefusedError, True),
        (418, RegistryRefusedError, True),
        (429, RegistryRefusedError, False),
        (500, RegistryRefusedError, False),
        (503, RegistryRefusedError, False),
    ],
)
def test_status_tells_whether_a_repeat_can_help(status: int, kind: type[OutsideError], permanent: bool) -> None:  # noqa: FBT001 -- a table
    with pytest.raises(kind) as caught:
        asked(lambda _: httpx2.Response(status, headers={"Location": "http://127.0.0.1/"})).resolve(IMAGE)
    assert caught.value.permanent is permanent


def guarded(seen: list[httpx2.Request], realm: str = "https://auth.example.com/token") -> Answering:
    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        if request.url.host == "auth.example.com":
            return httpx2.Response(200, json={"token": "t0ken.-_~+/="})
        if request.headers.get("authorization") == "Bearer t0ken.-_~+/=":
            return httpx2.Response(200, headers={"Docker-Content-Digest": DIGEST})
        return httpx2.Response(
            401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="reg",scope="repository:other:push"'}
        )

    return answer


def test_token_is_fetched_when_the_registry_asks_for_one() -> None:
    seen: list[httpx2.Request] = []
    assert asked(guarded(seen)).resolve(IMAGE) == DIGEST
    assert str(seen[1].url) == "https://auth.example.com/token?scope=repository%3Ateam%2Fapp%3Apull&service=reg"
    assert "authorization" not in seen[1].headers


def test_credentials_go_to_the_token_service_of_their_registry_only() -> None:
    seen: list[httpx2.Request] = []
    credentials = {"registry.example.com": ("robot", "word"), "other.example.com": ("x", "y")}
    assert asked(guarded(seen), credentials=credentials).resolve(IMAGE) == DIGEST
    assert seen[1].headers["authorization"] == "Basic " + base64.b64encode(b"robot:word").decode()
    assert "authorization" not in seen[0].headers


@pytest.mark.parametrize(
    "realm", ["http://auth.example.com/token", "ftp://auth.example.com/", "", "file:///etc/passwd"]
)
def test_token_service_in_clear_is_refused(realm: str) -> None:
    seen: list[httpx2.Request] = []
    with pytest.raises(RegistryRefusedError, match="https"):
        asked(guarded(seen, realm), credentials={"registry.example.com": ("robot", "word")}).resolve(IMAGE)
    assert len(seen) == 1


def test_basic_challenge_is_answered_with_the_credentials() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.headers.get("authorization") == "Basic " + base64.b64encode(b"robot:word").decode():
            return httpx2.Response(200, headers={"Docker-Content-Digest": DIGEST})
        return httpx2.Response(401, headers={"WWW-Authenticate": 'Basic realm="here"'})

    assert asked(answer, credentials={"registry.example.com": ("robot", "word")}).resolve(IMAGE) == DIGEST
    with pytest.raises(RegistryRefusedError, match="access"):
        asked(answer, credentials={"registry.example.com": ("robot", "wrong")}).resolve(IMAGE)
    with pytest.raises(RegistryRefusedError, match="access"):
        asked(answer).resolve(IMAGE)


@pytest.mark.parametrize(
    ("text", "host", "name", "wanted", "scheme"),
    [
        ("127.0.0.1:5000/app:1.1", "127.0.0.1:5000", "app", "1.1", "http"),
        ("localhost/app", "localhost", "app", "latest", "http"),
        ("[::1]:5000/a/b:x", "[::1]:5000", "a/b", "x", "http"),
        ("registry.example.com/a/b-c/d__e:V1", "registry.example.com", "a/b-c/d__e", "V1", "https"),
        ("10.0.0.1:5000/app:1", "10.0.0.1:5000", "app", "1", "https"),
        ("localhost.example.com/app:1", "localhost.example.com", "app", "1", "https"),
        (f"r.example.com/app:1@{DIGEST}", "r.example.com", "app", DIGEST, "https"),
    ],
)
def test_reference_is_read(text: str, host: str, name: str, wanted: str, scheme: str) -> None:
    reference = parse_reference(text)
    assert (reference.host, reference.name, reference.wanted, reference.scheme) == (host, name, wanted, scheme)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "app",
        "app:1.1",
        "library/app:1.1",
        "r.example.com/App:1",
        "r.example.com/app:",
        "r.example.com/app:1/../x",
        "r.example.com/../app:1",
        "r.example.com/app:1?x=y",
        "r.example.com/app:1#x",
        "user@r.example.com/app:1",
        "http://r.example.com/app:1",
        "r.example.com/app:1\n",
        "r.example.com/app@sha256:short",
        "r.example.com/" + "a" * 600,
        "рег.рф/app:1",
    ],
)
def test_reference_that_names_no_image_is_refused(text: str) -> None:
    with pytest.raises(InvalidImageReferenceError):
        parse_reference(text)
