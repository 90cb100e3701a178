"""Certificates for an engine that takes none but known clients, made by OpenSSL.

In the folder afterwards: `ca.pem`, the engine's `cert.pem` and `key.pem`, and folders as the engine's own clients have them
(`ca.pem`, `cert.pem`, `key.pem`): `client` (right), `other_ca` (trusts another authority and is signed by it), `expired`.
"""

from __future__ import annotations

import ipaddress
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests import needs
from tests.testbed.namespaces import run

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
CLIENTS = ("client", "other_ca", "expired")


def make(folder: Path, *, names: Sequence[str]) -> None:
    """Make all of it; the engine is known by `names` (names and addresses)."""
    needs.program("openssl", of="docker")
    _authority(folder / "ca.pem", folder / "ca.key")
    _authority(folder / "other.pem", folder / "other.key")
    told = ",".join(f"IP:{name}" if _is_address(name) else f"DNS:{name}" for name in names)
    _signed(folder, "cert", by="ca", usage="serverAuth", extra=f"subjectAltName={told}")
    shutil.move(folder / "cert.key", folder / "key.pem")
    for name in CLIENTS:
        own = folder / name
        own.mkdir()
        by = "other" if name == "other_ca" else "ca"
        shutil.copy(folder / f"{by}.pem", own / "ca.pem")
        _signed(folder, name, by=by, usage="clientAuth", days="-1" if name == "expired" else "30")
        shutil.move(folder / f"{name}.pem", own / "cert.pem")
        shutil.move(folder / f"{name}.key", own / "key.pem")


def _authority(certificate: Path, key: Path) -> None:
    run(
        *("openssl", "req", "-x509", *KEY, "-keyout", str(key), "-out", str(certificate), "-days", "30"),
        *("-subj", f"/CN={certificate.stem} of the test bed", "-addext", "basicConstraints=critical,CA:TRUE"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )


def _signed(folder: Path, name: str, *, by: str, usage: str, extra: str = "", days: str = "30") -> None:
    request, about = folder / f"{name}.csr", folder / f"{name}.ext"
    run("openssl", "req", *KEY, "-keyout", str(folder / f"{name}.key"), "-out", str(request), "-subj", f"/CN={name}")
    about.write_text(f"extendedKeyUsage={usage}\n{extra}\n")
    run(
        *("openssl", "x509", "-req", "-in", str(request), "-CA", str(folder / f"{by}.pem")),
        *("-CAkey", str(folder / f"{by}.key"), "-CAcreateserial", "-days", days),
        *("-extfile", str(about), "-out", str(folder / f"{name}.pem")),
    )
    request.unlink()
    about.unlink()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
