"""Until when a certificate holds, read from its file.

The standard library does not tell this of a certificate of one's own, so the few fields before it are stepped over (RFC 5280, section 4.1).
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

WARNED_FOR: Final = timedelta(days=30)
"""So long before its end a certificate is spoken of."""
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_END: Final = "-----END CERTIFICATE-----"


def holds_until(file: Path) -> datetime | None:
    """The end of the first certificate in a PEM file; nothing where it cannot be read as one."""
    try:
        first = file.read_text(errors="replace").partition(_END)[0]
        whole = ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN CERTIFICATE-----") :] + _END)
        return _not_after(whole)
    except (OSError, ValueError, IndexError):
        return None


def in_words(file: Path, *, now: datetime) -> str:
    """A sentence about a certificate that ends soon, or has; empty for any other."""
    ends = holds_until(file)
    if ends is None or ends - now > WARNED_FOR:
        return ""
    if ends <= now:
        return f"our certificate {file} has expired on {ends:%Y-%m-%d}"
    days = (ends - now).days
    left = f"{days} more day{'s' if days != 1 else ''}"
    return f"our certificate {file} holds for {left} only, until {ends:%Y-%m-%d %H:%M} UTC: have it renewed"


def _not_after(whole: bytes) -> datetime:
    inner = _content(_content(whole))
    at = _after(inner, 0) if inner[0] == _VERSION else 0
    for _ in ("serial number", "signature", "issuer"):
        at = _after(inner, at)
    validity = _content(inner[at:])
    last = validity[_after(validity, 0) :]
    written = "%y%m%d%H%M%SZ" if last[0] == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(_content(last).decode("ascii"), written).replace(tzinfo=UTC)


def _content(element: bytes) -> bytes:
    start, length = _sized(element, 0)
    return element[start : start + length]


def _after(elements: bytes, at: int) -> int:
    start, length = _sized(elements, at)
    return start + length


def _sized(elements: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at this place begins, and how long it is."""
    length = elements[at + 1]
    if length < 0x80:
        return at + 2, length
    octets = length & 0x7F
    return at + 2 + octets, int.from_bytes(elements[at + 2 : at + 2 + octets], "big")
