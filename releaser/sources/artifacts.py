"""The driver of artifacts: archives and other files by absolute path, `file://` or `https://`, known by their SHA-256.

What is fetched is kept in a folder under the name of its digest, and checked whenever it is used: what is put on hosts is the very
content that was resolved. Plain HTTP is spoken with loopback only. Every call is bounded in time and in size. What does not live
here: what is inside an artifact (`targets.files.archive`).
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

import httpx2

from releaser.clock import Clock, SystemClock
from releaser.domain.changelog.text import plain
from releaser.sources.source import ArtifactNotFoundError, ArtifactRefusedError, ArtifactUnreachableError

LARGEST: Final = 16 * 1024**3
KEPT_FOR_S: Final = 7 * 24 * 3600
_CHUNK: Final = 1024 * 1024
_LONGEST_SUM: Final = 4096
_MOST_REDIRECTS: Final = 5
_SUM = re.compile(r"\A\\?([0-9a-fA-F]{64})(?:\s|\Z)")


class ArtifactFiles:
    """Artifacts, kept in `folder`. `timeout_s` bounds each wait for an answer, `fetch_timeout_s` a whole artifact."""

    def __init__(
        self,
        folder: Path,
        *,
        timeout_s: float = 10,
        fetch_timeout_s: float = 300,
        transport: httpx2.BaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._folder = folder
        self._timeout_s = timeout_s
        self._fetch_timeout_s = fetch_timeout_s
        self._transport = transport
        self._clock = clock or SystemClock()

    def resolve(self, address: str) -> str:
        """The SHA-256 of what the address stands for; see `Artifacts`."""
        beside = self._small(f"{address}.sha256")
        if beside is not None:
            match = _SUM.match(beside)
            if match is None:
                raise ArtifactRefusedError(
                    f"{address[:200]}.sha256 holds no SHA-256.",
                    permanent=True,
                    advice="Write it with sha256sum, or remove it.",
                    artifact=address,
                )
            return f"sha256:{match[1].lower()}"
        return self._keep(address, wanted=None)[0]

    def fetch(self, address: str, digest: str) -> Path:
        """The artifact with this digest as a file of this machine. Raises what `Artifacts.resolve` does."""
        kept = self._kept(digest)
        if kept.is_file() and _digest_of(_chunks_of(kept)) == digest:
            with contextlib.suppress(OSError):
                os.utime(kept)
            return kept
        return self._keep(address, wanted=digest)[1]

    def _kept(self, digest: str) -> Path:
        return self._folder / digest.rpartition(":")[2]

    def _keep(self, address: str, *, wanted: str | None) -> tuple[str, Path]:
        """Fetch it whole, look at what it is, and let it appear under its name at once."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._forget()
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as file:
                try:
                    found = _digest_of(self._content(address), into=file.write)
                    if wanted is not None and found != wanted:
                        raise _changed(address, wanted, found)
                    file.flush()
                    os.fsync(file.fileno())
                    Path(file.name).replace(self._kept(found))
                finally:
                    Path(file.name).unlink(missing_ok=True)
        except OSError as error:
            raise ArtifactUnreachableError(
                f"{address[:200]} cannot be kept in {self._folder}: {error.strerror or error}.",
                permanent=False,
                advice="Free space there, or let this user write there.",
                artifact=address,
            ) from error
        return found, self._kept(found)

    def _forget(self) -> None:
        """Remove what was not used for long, and what a killed process left half."""
        for one in self._folder.iterdir():
            with contextlib.suppress(OSError):
                age_s = self._clock.now().timestamp() - one.stat().st_mtime
                if age_s > (3600 if one.suffix == ".part" else KEPT_FOR_S):
                    one.unlink()

    def _small(self, address: str) -> str | None:
        """A small text, or None where there is none."""
        content = b""
        try:
            for chunk in self._content(address):
                content += chunk
                if len(content) > _LONGEST_SUM:
                    break
        except ArtifactNotFoundError:
            return None
        return content[:_LONGEST_SUM].decode("utf-8", "replace")

    def _content(self, address: str) -> Iterator[bytes]:
        parts = urlsplit(address)
        if parts.scheme in {"https", "http"}:
            return self._over_http(address)
        if (parts.scheme, parts.netloc) in {("file", ""), ("file", "localhost")}:
            return self._of_file(Path(unquote(parts.path)), address)
        if address.startswith("/"):
            return self._of_file(Path(address), address)
        raise ArtifactRefusedError(
            f"{address[:200]!a} is no address of an artifact.",
            permanent=True,
            advice="Use an absolute path, file:// or https://.",
            artifact=address,
        )

    def _of_file(self, path: Path, address: str) -> Iterator[bytes]:
        if not path.exists():
            raise _absent(address)
        if not path.is_file():
            raise ArtifactRefusedError(
                f"{address[:200]} is no file.", permanent=True, advice="Name the archive itself.", artifact=address
            )
        try:
            yield from _bounded(_chunks_of(path), address)
        except PermissionError as error:
            raise ArtifactRefusedError(
                f"{address[:200]} cannot be read: {error.strerror}.",
                permanent=True,
                advice="Let the user that this service runs as read it.",
                artifact=address,
            ) from error

    def _over_http(self, address: str) -> Iterator[bytes]:
        ends = self._clock.monotonic() + self._fetch_timeout_s
        try:
            proxied = urlsplit(address).scheme == "https"
            with httpx2.Client(timeout=self._timeout_s, transport=self._transport, trust_env=proxied) as client:
                for chunk in _bounded(self._answered(client, address), address):
                    if self._clock.monotonic() > ends:
                        raise _unreachable(address, f"it was not fetched within {self._fetch_timeout_s:g} s")
                    yield chunk
        except httpx2.TimeoutException as error:
            raise _unreachable(address, "it did not answer in time") from error
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise _unreachable(address, plain(str(error)) or type(error).__name__) from error

    def _answered(self, client: httpx2.Client, address: str) -> Iterator[bytes]:
        """The content as it was sent; where the answer sends us on, from there."""
        where = address
        for _ in range(_MOST_REDIRECTS):
            _check_scheme(where, address)
            with client.stream("GET", where, headers={"Accept-Encoding": "identity"}) as answer:
                if answer.is_redirect:
                    where = urljoin(where, answer.headers.get("location", ""))
                    continue
                _check_status(answer.status_code, address)
                yield from answer.iter_raw()
                return
        raise _refused(address, "it sends us on and on")


def _chunks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _digest_of(chunks: Iterable[bytes], into: object = None) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        if callable(into):
            into(chunk)
    return f"sha256:{digest.hexdigest()}"


def _bounded(chunks: Iterable[bytes], address: str) -> Iterator[bytes]:
    read = 0
    for chunk in chunks:
        read += len(chunk)
        if read > LARGEST:
            raise _refused(address, f"it is larger than {LARGEST // 1024**3} GiB")
        yield chunk


def _check_scheme(where: str, address: str) -> None:
    parts = urlsplit(where)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return
    raise _refused(address, f"it is to be had from {where[:200]}, which is not https")


def _is_loopback(name: str) -> bool:
    try:
        return name.lower() == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _check_status(status: int, address: str) -> None:
    if status == HTTPStatus.OK:
        return
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        raise _absent(address)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise _unreachable(address, f"the answer has status {status}")
    raise _refused(address, f"the answer has status {status}")


def _absent(address: str) -> ArtifactNotFoundError:
    return ArtifactNotFoundError(
        f"There is no artifact {address[:300]}.",
        permanent=True,
        advice="Build it and put it there, then repeat; or correct the module's artifact template.",
        artifact=address,
    )


def _unreachable(address: str, why: str) -> ArtifactUnreachableError:
    return ArtifactUnreachableError(
        f"The artifact {address[:300]} cannot be fetched: {why}.",
        permanent=False,
        advice="Check that its server runs and can be reached from here, then repeat.",
        artifact=address,
    )


def _refused(address: str, why: str) -> ArtifactRefusedError:
    return ArtifactRefusedError(
        f"The artifact {address[:300]} is not taken: {why}.",
        permanent=True,
        advice="Correct the module's artifact template, or what lies there.",
        artifact=address,
    )


def _changed(address: str, wanted: str, found: str) -> ArtifactRefusedError:
    return ArtifactRefusedError(
        f"The artifact {address[:300]} is {found} now, and not {wanted}.",
        permanent=True,
        advice="It was changed after it was resolved, or the .sha256 beside it is of another one; plan again.",
        artifact=address,
    )
