"""The driver of image registries: what digest a tag stands for, by the OCI distribution API (version 1.1).

The registry is always asked; a tag that some engine keeps on its own disk means nothing here. Every call is bounded in
time and in size. Plain HTTP is spoken with loopback, and with hosts that are named for it. What does not live here: pulling images (`targets`).
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType

import httpx2

from releaser.domain.changelog.text import plain
from releaser.sources.source import (
    ImageNotFoundError,
    InvalidImageReferenceError,
    RegistryRefusedError,
    RegistryUnreachableError,
)

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MAX_MANIFEST = 4 * 1024 * 1024  # what the specification asks registries to take at least
MAX_TOKEN = 64 * 1024

_REFERENCE = re.compile(
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?|\[[0-9a-fA-F:]+\](?::[0-9]{1,5})?)"
    r"/(?P<name>[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_NOBODY: Mapping[str, tuple[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """`host[:port]/name` with a tag or a digest; `is_plain` where the host was named as one without TLS."""

    text: str
    host: str
    name: str
    wanted: str
    is_plain: bool = False

    @property
    def scheme(self) -> str:
        """What is spoken with the host."""
        name = self.host.rpartition(":")[0] if re.search(r":[0-9]+$", self.host) else self.host
        return "http" if self.is_plain or _is_loopback(name.strip("[]")) else "https"


def _is_loopback(name: str) -> bool:
    try:
        return name.lower() == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def parse_reference(text: str, *, plain_hosts: Collection[str] = ()) -> Reference:
    """Read `host[:port]/name[:tag][@digest]`; without a tag it is `latest`. Raises `InvalidImageReferenceError`."""
    match = _REFERENCE.fullmatch(text) if len(text) <= 512 else None
    host = match["host"] if match else ""
    # `library/app` is no host with a name: we never guess a registry.
    if match is None or not ("." in host or ":" in host or host == "localhost"):
        raise InvalidImageReferenceError(
            f"{text[:120]!a} does not name an image in a registry.",
            advice="Write it like registry.example.com/app:1.1, with the registry's host.",
            field="image",
        )
    wanted = match["digest"] or match["tag"] or "latest"
    return Reference(text=text, host=host, name=match["name"], wanted=wanted, is_plain=host in plain_hosts)


class HttpRegistry:
    """Resolves tags by HTTP. `credentials` are user and password by host; without, only public images are seen.

    `plain_hosts` (`host[:port]`) are spoken with without TLS, as engines do with their `insecure-registries`.
    """

    def __init__(
        self,
        *,
        timeout_s: float = 10,
        credentials: Mapping[str, tuple[str, str]] = _NOBODY,
        plain_hosts: Collection[str] = (),
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._plain_hosts = frozenset(plain_hosts)
        self._timeout = httpx2.Timeout(timeout_s)
        self._credentials = credentials
        self._transport = transport

    def resolve(self, reference: str) -> str:
        """The digest (`sha256:...`) the registry gives for `host[:port]/name:tag` right now; see `ImageRegistry`."""
        wanted = parse_reference(reference, plain_hosts=self._plain_hosts)
        # Proxies of the environment lead away from this machine.
        proxied = wanted.scheme == "https"
        with httpx2.Client(timeout=self._timeout, transport=self._transport, trust_env=proxied) as client:
            try:
                return _Conversation(client, wanted, self._credentials.get(wanted.host)).digest()
            except httpx2.TimeoutException as error:
                raise self._unreachable(wanted, "it did not answer in time") from error
            except (httpx2.TransportError, httpx2.InvalidURL) as error:
                raise self._unreachable(wanted, plain(str(error)) or type(error).__name__) from error

    @staticmethod
    def _unreachable(wanted: Reference, why: str) -> RegistryUnreachableError:
        return RegistryUnreachableError(
            f"The registry {wanted.host} cannot be reached: {why}.",
            permanent=False,
            advice="It seems to speak plain HTTP: if it shall, name it in RELEASER_PLAIN_REGISTRIES."
            if "WRONG_VERSION_NUMBER" in why
            else "Check that it runs and can be reached from here, then repeat.",
            image=wanted.text,
        )


class _Conversation:
    """One question to one registry: HEAD, then GET where HEAD does not tell; a token is fetched when asked for one."""

    def __init__(self, client: httpx2.Client, wanted: Reference, credentials: tuple[str, str] | None) -> None:
        self._client = client
        self._wanted = wanted
        self._credentials = credentials
        self._authorization: str | None = None

    def digest(self) -> str:
        status, headers, _ = self._ask("HEAD")
        given = headers.get("docker-content-digest", "")
        if status == HTTPStatus.OK and _DIGEST.fullmatch(given):
            return self._checked(given)
        if status not in {HTTPStatus.OK, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}:
            raise self._failure(status)
        status, headers, body = self._ask("GET")
        if status != HTTPStatus.OK:
            raise self._failure(status)
        computed = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if headers.get("docker-content-digest", computed) != computed:
            raise self._refused("its manifest does not have the digest it says", permanent=False)
        return self._checked(computed)

    def _checked(self, digest: str) -> str:
        if self._wanted.wanted.startswith("sha256:") and digest != self._wanted.wanted:
            raise self._refused("it answered with another digest than asked for", permanent=False)
        return digest

    def _ask(self, method: str) -> tuple[int, httpx2.Headers, bytes]:
        address = f"{self._wanted.scheme}://{self._wanted.host}/v2/{self._wanted.name}/manifests/{self._wanted.wanted}"
        for _ in range(2):
            headers = {"Accept": ", ".join(MANIFESTS)}
            if self._authorization:
                headers["Authorization"] = self._authorization
            with self._client.stream(method, address, headers=headers) as answer:
                if answer.status_code != HTTPStatus.UNAUTHORIZED or self._authorization:
                    return answer.status_code, answer.headers, self._body(answer, MAX_MANIFEST)
                challenge = answer.headers.get("www-authenticate", "")
            self._authorization = self._answer_to(challenge)
        raise self._failure(HTTPStatus.UNAUTHORIZED)  # pragma: no cover -- the second turn always returns

    def _body(self, answer: httpx2.Response, most: int) -> bytes:
        body = bytearray()
        for chunk in _chunks(answer):
            body += chunk
            if len(body) > most:
                raise self._refused(f"its answer is larger than {most} bytes", permanent=True)
        return bytes(body)

    def _answer_to(self, challenge: str) -> str:
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "basic" and self._credentials:
            return "Basic " + base64.b64encode(":".join(self._credentials).encode()).decode("ascii")
        if kind.lower() != "bearer":
            raise self._failure(HTTPStatus.UNAUTHORIZED)
        return f"Bearer {self._token(dict(_CHALLENGE.findall(rest)))}"

    def _token(self, asked: Mapping[str, str]) -> str:
        realm = httpx2.URL(asked.get("realm", ""))
        # Who is spoken with in clear must be on this machine, or a password would travel readable.
        if realm.scheme != "https" and not (realm.scheme == "http" and _is_loopback(realm.host)):
            raise self._refused("it sends us for a token to an address that is not https", permanent=True)
        parameters = {"scope": f"repository:{self._wanted.name}:pull"}
        if "service" in asked:
            parameters["service"] = asked["service"]
        auth = httpx2.BasicAuth(*self._credentials) if self._credentials else None
        with self._client.stream("GET", realm.copy_merge_params(parameters), auth=auth) as answer:
            body = self._body(answer, MAX_TOKEN)
        if answer.status_code != HTTPStatus.OK:
            raise self._failure(answer.status_code)
        found = re.search(rb'"(?:token|access_token)"\s*:\s*"([A-Za-z0-9._~+/=-]+)"', body)
        if found is None:
            raise self._refused("its token service gave no token", permanent=False)
        return found[1].decode("ascii")

    def _failure(self, status: int) -> ImageNotFoundError | RegistryRefusedError:
        if status == HTTPStatus.NOT_FOUND:
            return ImageNotFoundError(
                f"The registry {self._wanted.host} has no image {self._wanted.name}:{self._wanted.wanted}.",
                permanent=True,
                advice="Build it, push it, and repeat; or correct the module's image template.",
                image=self._wanted.text,
            )
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return self._refused(
                "it lets us not see this image", permanent=True, advice="Give this service access to it."
            )
        again = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
        return self._refused(f"it answered with status {status}", permanent=not again)

    def _refused(self, why: str, *, permanent: bool, advice: str = "") -> RegistryRefusedError:
        return RegistryRefusedError(
            f"The registry {self._wanted.host} did not tell the digest of {self._wanted.name}:{self._wanted.wanted}: {why}.",
            permanent=permanent,
            advice=advice or ("Check the registry." if permanent else "Repeat; if it stays so, check the registry."),
            image=self._wanted.text,
        )


def _chunks(answer: httpx2.Response) -> Iterator[bytes]:
    return answer.iter_bytes() if answer.request.method != "HEAD" else iter(())
