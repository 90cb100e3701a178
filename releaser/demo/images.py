"""The sample application's images, made from what the machine has: a static busybox on an empty image.

An image is written out here as a file the engine loads: no builder is needed, the same sample gives the same digest
everywhere with the same busybox, and many are loaded in one call. The application is a small web server on port 8080
with a page that shows its version, `/version` and `/healthz`; it ends at once when asked to.

What does not live here: where images are kept (`registry`), what runs them.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import struct
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import docker

from releaser.demo import keeper
from releaser.demo.engine import MissingProgramError, talk
from releaser.errors import OutsideError

PORT = 8080
CREATED = "2026-01-01T00:00:00Z"
BUSYBOX = "bin/busybox"
ARCHITECTURES = {62: "amd64", 183: "arm64"}  # ELF machine -> the engines' word
PROGRAM_INTERPRETER = 3  # ELF: the program header that only dynamically linked programs have

SERVE = f"""
trap 'kill $child 2>/dev/null; exit 0' TERM INT
if [ -n "$START_DELAY" ]; then /{BUSYBOX} sleep "$START_DELAY" & child=$!; wait $child; fi
echo "serving version $(/{BUSYBOX} cat /www/version)"
/{BUSYBOX} httpd -f -p {PORT} -h /www & child=$!
wait $child
"""
GIVE_UP = 'echo "cannot start: no configuration" >&2; exit 3\n'


class Behaviour(StrEnum):
    """How a sample behaves."""

    GOOD = "good"
    SICK = "sick"  # serves its page, but /healthz answers 404 for ever
    EXITS = "exits"  # ends at once with status 3


class Healthcheck(StrEnum):
    """Whether the image brings a health check of its own, for the engine to run."""

    NONE = "none"
    OWN = "own"


class ImageError(OutsideError):
    """The engine did not take an image, or the registry did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One version of the sample application. The environment variable START_DELAY (seconds) makes it start slowly."""

    version: str
    behaviour: Behaviour = Behaviour.GOOD
    healthcheck: Healthcheck = Healthcheck.NONE


SHOP = (
    Sample(version="1.0"),
    Sample(version="1.1"),
    Sample(version="1.1.1"),
    Sample(version="1.1.2", behaviour=Behaviour.SICK),
)


def publish(
    address: str, samples: Sequence[Sample], *, repository: str, labels: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Load the samples into the engine at `address` and push them; returns version -> digest (`sha256:…`).

    `repository` is the whole name, `127.0.0.1:PORT/shop`; each sample becomes its tag `version`. `labels` are put on
    the images and change their digests. Repeatable. Raises MissingProgramError, EngineCallError and ImageError.
    """
    with talk(address) as client:
        # The SDK's own stubs leave this one untyped.
        for _ in _checked(client.load_image(archive(samples, repository=repository, labels=labels or {}))):  # type: ignore[no-untyped-call]
            pass  # the end of the stream is the end of the loading
        return {sample.version: _push(client, repository, sample.version) for sample in samples}


def archive(samples: Sequence[Sample], *, repository: str, labels: Mapping[str, str]) -> bytes:
    """The file that `docker load` takes, with every sample as `repository:version`. Raises MissingProgramError."""
    program, architecture = static_busybox()
    base = _tar({BUSYBOX: (program, 0o755)})
    files: dict[str, tuple[bytes, int]] = {f"{_sha256(base)}.tar": (base, 0o644)}
    manifest = []
    for sample in samples:
        own = _tar(_files(sample))
        config = json.dumps(_config(sample, [base, own], architecture, labels), sort_keys=True).encode()
        files[f"{_sha256(own)}.tar"] = (own, 0o644)
        files[f"{_sha256(config)}.json"] = (config, 0o644)
        manifest.append(
            {
                "Config": f"{_sha256(config)}.json",
                "RepoTags": [f"{repository}:{sample.version}"],
                "Layers": [f"{_sha256(base)}.tar", f"{_sha256(own)}.tar"],
            }
        )
    files["manifest.json"] = (json.dumps(manifest).encode(), 0o644)
    return _tar(files)


def _files(sample: Sample) -> dict[str, tuple[bytes, int]]:
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop {sample.version}</title>'
        f"<h1>Shop</h1><p>Version <strong>{sample.version}</strong></p></html>\n"
    )
    texts = {
        "start": GIVE_UP if sample.behaviour is Behaviour.EXITS else SERVE,
        "www/index.html": page,
        "www/version": f"{sample.version}\n",
    }
    if sample.behaviour is not Behaviour.SICK:
        texts["www/healthz"] = "ok\n"
    return {name: (text.encode(), 0o644) for name, text in texts.items()}


def _config(sample: Sample, layers: Sequence[bytes], architecture: str, labels: Mapping[str, str]) -> dict[str, object]:
    """The image's configuration as the image specification has it; durations in nanoseconds."""
    second = 1_000_000_000
    run: dict[str, object] = {
        "Entrypoint": [f"/{BUSYBOX}", "sh", "/start"],
        "Env": ["PATH=/bin"],
        "ExposedPorts": {f"{PORT}/tcp": {}},
        "Labels": {"org.opencontainers.image.version": sample.version, **labels},
    }
    if sample.healthcheck is Healthcheck.OWN:
        probe = ["CMD", f"/{BUSYBOX}", "wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{PORT}/healthz"]
        run["Healthcheck"] = {"Test": probe, "Interval": second // 2, "Timeout": second, "Retries": 2}
    return {
        "architecture": architecture,
        "os": "linux",
        "created": CREATED,
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha256(layer)}" for layer in layers]},
        "history": [{"created": CREATED, "created_by": "releaser.demo.images"} for _ in layers],
    }


def _tar(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """An archive that depends on nothing but names, contents and modes."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, (content, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return whole.getvalue()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def static_busybox() -> tuple[bytes, str]:
    """The machine's busybox and its architecture; on an empty image only a static one can run."""
    found = shutil.which("busybox", path=keeper.PATH)
    program = Path(found).read_bytes() if found else b""
    if program[:6] != b"\x7fELF\x02\x01":  # 64 bits, little-endian: all that is read below
        raise MissingProgramError("busybox", packages=("busybox-static",))
    (machine,) = struct.unpack_from("<H", program, 18)
    (offset,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    kinds = {struct.unpack_from("<I", program, offset + size * n)[0] for n in range(count)}
    if PROGRAM_INTERPRETER in kinds or machine not in ARCHITECTURES:
        raise MissingProgramError("busybox, statically linked", packages=("busybox-static",))
    return program, ARCHITECTURES[machine]


def _checked(stream: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The lines of an engine's progress stream, where failure is a line like any other, as an error."""
    for line in stream:
        if "error" in line:
            raise ImageError(f"The engine says: {line['error']}", permanent=False)
        yield line


def _push(client: docker.APIClient, repository: str, tag: str) -> str:
    """Push one tag; returns the digest the registry gave it. The stream's errors are raised, not skipped."""
    # Empty credentials: those of the person at the keyboard are nobody's business here.
    nobody = {"username": "", "password": ""}
    digest = ""
    for line in _checked(client.push(repository, tag, stream=True, decode=True, auth_config=nobody)):
        digest = (line.get("aux") or {}).get("Digest", digest)
    if not digest:
        raise ImageError(f"The engine told no digest for {repository}:{tag}.", permanent=False)
    return digest
