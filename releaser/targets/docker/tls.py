"""TLS with an engine, both ways: setting it up, and what goes wrong in it, told as our errors."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Final

from docker.tls import TLSConfig

from releaser.errors import ReleaserError
from releaser.targets.docker.address import TlsFiles
from releaser.targets.target import EngineRefusedError

_NO_TLS_THERE: Final = ("wrong version number", "record layer failure", "http request", "packet length too long")
_EXPIRED: Final = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_NAMES: Final = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


def configured(files: TlsFiles, *, address: str) -> TLSConfig:
    """What the SDK is told. Raises `EngineRefusedError` naming a file that cannot be used."""
    for file in (files.ca, files.cert, files.key):
        if not os.access(file, os.R_OK) or not file.is_file():
            why = "cannot be read by this user" if file.exists() else "is not there"
            raise _refused(
                f"The engine at {address} cannot be spoken to: {file} {why}.",
                "Put it there, or correct what the host's address says of TLS.",
                address,
            )
    _try_files(files, address)
    return TLSConfig(client_cert=(str(files.cert), str(files.key)), ca_cert=str(files.ca), verify=True)


def _try_files(files: TlsFiles, address: str) -> None:
    """Load them as the connection will: OpenSSL does not say which of the three it could not take."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(files.ca)
    except (ssl.SSLError, OSError) as error:
        raise _unusable(files.ca, "holds no certificate of an authority", address) from error
    try:
        # A password would be asked for at the terminal, where nobody is.
        context.load_cert_chain(files.cert, files.key, password="")
    except (ssl.SSLError, OSError) as error:
        what = "is no certificate with the key of"
        raise _unusable(files.cert, f"{what} {files.key}, or the key has a password", address) from error


def from_tls(error: ssl.SSLError, *, files: TlsFiles, address: str) -> ReleaserError:
    """The error for a handshake that failed, whichever side did not want the other."""
    said = (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, ssl.SSLCertVerificationError):
        return _not_trusted(error, files, address)
    if any(word in said for word in _NO_TLS_THERE):
        return _refused(
            f"The engine at {address} does not speak TLS.",
            "Start it with --tlsverify, or take what follows the question mark out of the host's address.",
            address,
        )
    return _refused(
        f"The engine at {address} does not take our certificate {files.cert}: {said}.",
        "Have it signed by the authority that the engine's --tlscacert names; "
        f"`openssl x509 -in {files.cert} -noout -dates -issuer` tells whose it is and how long it holds.",
        address,
    )


def _not_trusted(error: ssl.SSLCertVerificationError, files: TlsFiles, address: str) -> ReleaserError:
    if error.verify_code == _EXPIRED:
        advice = "Renew the engine's certificate, and compare the clocks of both machines."
    elif error.verify_code in _NAMES:
        advice = "Use a name that stands in the engine's certificate, or have one made with this name (subjectAltName)."
    else:
        advice = f"If it is the right engine, put the authority that signed its certificate into {files.ca}."
    why = (error.verify_message or str(error)).rstrip(".")
    return _refused(f"The engine at {address} shows a certificate that is not to be trusted: {why}.", advice, address)


def _unusable(file: Path, why: str, address: str) -> ReleaserError:
    return _refused(
        f"The engine at {address} cannot be spoken to: {file} {why}.",
        "Put the PEM files there that this service is known by.",
        address,
    )


def _refused(what: str, advice: str, address: str) -> EngineRefusedError:
    return EngineRefusedError(what, permanent=True, advice=advice, address=address)
