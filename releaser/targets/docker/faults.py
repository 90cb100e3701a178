"""What the engine answers when it will not, told as our errors; by status first, by wording where the status is not enough.

What does not live here: errors of the transport, when nothing was answered at all (`client`).
"""

from __future__ import annotations

import re

from releaser.domain.advance import SAYS_NOTHING
from releaser.errors import ReleaserError
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

_PORT_TAKEN = re.compile(r"port is already allocated|address already in use", re.IGNORECASE)
_PORT = re.compile(r"(?:Bind for|listen \w+|expose port) \S*?:(\d{1,5})\b")
_NO_IMAGE = re.compile(
    r"no such image|manifest unknown|manifest for .* not found|not found: (does not|manifest)|name unknown",
    re.IGNORECASE,
)
_REGISTRY_DOWN = re.compile(
    r"connection refused|no such host|i/o timeout|no route to host|network is unreachable|tls handshake|"
    r"connection reset|unexpected eof|context deadline exceeded|: eof|received unexpected http status: 5|"
    r"request canceled|temporary failure|server misbehaving|50[0234] ",
    re.IGNORECASE,
)
_DENIED = re.compile(r"unauthorized|denied|no basic auth|authentication required", re.IGNORECASE)
_DISK_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_WANTS_TLS = re.compile(r"http request to an https server", re.IGNORECASE)
_WILL_NOT_START = re.compile(
    r"oci runtime|failed to create (shim|task)|executable file not found|exec format error|driver failed programming|"
    r"invalid mount config|error while mounting|user specified ip",
    re.IGNORECASE,
)


def from_status(status: int, message: str, *, what: str, address: str) -> ReleaserError:
    """The error for an answer with an error status; `status` 0 stands for an answer that makes no sense."""
    message = _sentence(message)
    if _DISK_FULL.search(message):
        return _disk_full(message, address)
    if _PORT_TAKEN.search(message):
        return _port_taken(message, address)
    if status == 404:
        return _not_there(message, address)
    if status == 409 and "name" in message:
        return NameTakenError(
            f"The engine at {address} says: {message}",
            advice="Rename or remove what holds the name, or choose another name for the target.",
            address=address,
        )
    if status == 400 and _WANTS_TLS.search(message):
        return EngineRefusedError(
            f"The engine at {address} speaks TLS only.",
            permanent=True,
            advice=f"Say which files to use in the host's address: {address}?tls=/folder with ca.pem, cert.pem and key.pem.",
            address=address,
            status=status,
        )
    # What the runtime refuses to start it will refuse again; so will the engine what is wrong in the request itself.
    hopeless = 400 <= status < 500 or _WILL_NOT_START.search(message) is not None
    return EngineRefusedError(
        f"The engine at {address} refused '{what}': {message}",
        permanent=hopeless,
        advice="Correct what it names and try again." if hopeless else "",
        address=address,
        status=status,
    )


def from_pull(message: str, *, image: str, digest: str, address: str) -> ReleaserError:
    """The error for a pull that failed at once or in its stream."""
    message = _sentence(message)
    reference = f"{image}@{digest}"
    if _DISK_FULL.search(message):
        return _disk_full(message, address)
    if _NO_IMAGE.search(message):
        return image_not_found(reference, message)
    if _DENIED.search(message):
        return ImageNotFoundError(
            f"The registry does not give out {reference}: {message}",
            permanent=True,
            advice="Check the image's name and the credentials for that registry: RELEASER_REGISTRY_AUTH names a file of them.",
            image=image,
            digest=digest,
        )
    if _REGISTRY_DOWN.search(message):
        return RegistryUnreachableError(
            f"The engine at {address} cannot fetch {reference}: {message}",
            permanent=False,
            advice="Check that the registry runs and that this host can reach it.",
            image=image,
            address=address,
        )
    return EngineRefusedError(
        f"The engine at {address} could not pull {reference}: {message}", permanent=False, image=image, address=address
    )


def image_not_found(reference: str, message: str) -> ImageNotFoundError:
    """The error for an image that the registry does not have."""
    image, _, digest = reference.partition("@")
    return ImageNotFoundError(
        f"The registry does not have {reference}: {_sentence(message)}",
        permanent=True,
        advice="Push the image, or correct the module's image name, and plan again.",
        image=image,
        digest=digest,
    )


def _sentence(text: str) -> str:
    text = one_line(text)
    return text if text.endswith((".", "…")) else text + "."


def one_line(text: str, *, limit: int = 500) -> str:
    """Foreign text as one inert line: terminal escapes and control characters taken out, length bounded."""
    text = re.sub(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])", "", text)
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+", " ", text)
    text = re.sub(r" {2,}", " ", text).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _not_there(message: str, address: str) -> ReleaserError:
    lowered = message.lower()
    if "image" in lowered:
        return image_not_found(message.rpartition(": ")[2].rstrip(".") or "the image", "it is not on the host")
    if "network" in lowered and "container" not in lowered.partition("network")[0]:
        return NetworkNotFoundError(
            f"The engine at {address} says: {message}",
            permanent=True,
            advice="Create the network first.",
            address=address,
        )
    return ContainerNotFoundError(
        f"The engine at {address} says: {message}",
        permanent=True,
        advice="Somebody removed it by hand; look at the host and plan again.",
        address=address,
    )


def _port_taken(message: str, address: str) -> PortTakenError:
    found = _PORT.search(message)
    port = found.group(1) if found else None
    return PortTakenError(
        f"A port{' ' + port if port else ''} is already taken on the host of {address}, {SAYS_NOTHING}: {message}",
        permanent=True,
        advice=(
            "Find what holds it (docker ps, ss -ltnp) and stop it, or publish another port; "
            "where nothing does, restart the engine, which may have lost count when it was killed."
        ),
        address=address,
        port=int(port) if port else None,
    )


def _disk_full(message: str, address: str) -> DiskFullError:
    return DiskFullError(
        f"There is no room left on the host of {address}: {message}",
        permanent=True,
        advice="Free some (docker system df shows what holds it) and retry.",
        address=address,
    )
