"""Where an engine is: a socket of this machine, a port of another, plain or with TLS, or a socket of another reached over ssh.

    unix:///var/run/docker.sock
    tcp://host:2375                                    nothing is encrypted, and whoever reaches it may do anything
    tcp://host:2376?tls=/etc/releaser/engines/acme     TLS by the files ca.pem, cert.pem and key.pem of that folder
    tcp://host:2376?ca=/a.pem&cert=/b.pem&key=/c.pem   likewise, file by file
    ssh://user@host:22                                 /var/run/docker.sock there; ssh://host/run/user/1000/docker.sock another

TLS always goes both ways: the engine has to be known to us, and we to it. What does not live here: the connection (`transport`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from releaser.errors import InvalidError

SOCKET: Final = "/var/run/docker.sock"
_FORMS: Final = "Write unix:///path/to/docker.sock, tcp://host:2375, tcp://host:2376?tls=/folder or ssh://user@host."
_TCP: Final = re.compile(r"tcp://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}")
_SSH: Final = re.compile(
    r"(?P<shell>ssh://(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?)"
    r"(?P<socket>/[^\s?#:'\"\x00]*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """The authority that engines of this address are known by, and our own certificate with its key."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAddress:
    """An address taken apart. `plain` is what people are shown and the SDK is told; over ssh `by_ssh` leads to the host."""

    plain: str
    host: str = "127.0.0.1"
    tls: TlsFiles | None = None
    by_ssh: str = ""
    socket: str = ""


def parse(address: str) -> EngineAddress:
    """Take an address apart. Raises `InvalidError` with the right forms."""
    plain, asked, query = address.partition("?")
    if plain.startswith("unix://") and not asked and plain != "unix://":
        return EngineAddress(plain=plain)
    if _TCP.fullmatch(plain):
        tls = _tls_files(address, query) if asked else None
        return EngineAddress(plain=plain, host=urlsplit(plain).hostname or "", tls=tls)
    match = _SSH.fullmatch(address)
    if match is not None:
        socket = match["socket"] if match["socket"] not in {None, "/"} else SOCKET
        return EngineAddress(plain=address, host=urlsplit(address).hostname or "", by_ssh=match["shell"], socket=socket)
    raise InvalidError(f"'{address[:200]}' is not an address of a Docker engine.", advice=_FORMS, field="address")


def host_of(address: str) -> str:
    """The name or IP of the machine an engine is on, as it is reached from here."""
    return parse(address).host


def _tls_files(address: str, query: str) -> TlsFiles:
    given = dict(parse_qsl(query, keep_blank_values=True))
    if set(given) == {"tls"}:
        folder = Path(given["tls"])
        files = TlsFiles(ca=folder / "ca.pem", cert=folder / "cert.pem", key=folder / "key.pem")
    elif set(given) == {"ca", "cert", "key"}:
        files = TlsFiles(ca=Path(given["ca"]), cert=Path(given["cert"]), key=Path(given["key"]))
    else:
        raise InvalidError(
            f"What follows the question mark in '{address[:200]}' does not say which files TLS goes by.",
            advice="Write ?tls=/folder (with ca.pem, cert.pem and key.pem), or ?ca=/…&cert=/…&key=/….",
            field="address",
        )
    if not files.ca.is_absolute() or not files.cert.is_absolute() or not files.key.is_absolute():
        raise InvalidError(
            f"The files of TLS in '{address[:200]}' are not named by whole paths.",
            advice="Begin each with a slash: they are looked for on the machine that this service runs on.",
            field="address",
        )
    return files
