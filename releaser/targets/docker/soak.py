"""Whether a soak is long enough for the check that an image brings, which is known once the image is on its host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from releaser.domain.spec import TargetSpec
from releaser.errors import OutsideError

_SECOND_NS: Final = 1_000_000_000
# What the engine takes where an image does not say (Docker's HEALTHCHECK).
_INTERVAL_S: Final = 30.0
_RETRIES: Final = 3


class SoakTooShortError(OutsideError):
    """The soak would end before the image's own check could notice that the service fails."""


def check_soak(spec: TargetSpec, image: Mapping[str, Any], *, reference: str) -> None:
    """Raises `SoakTooShortError`. No soak at all is a choice; a declared check or probe is judged when it is planned."""
    health = spec.health
    if not spec.soak_s or health.command or health.http:
        return
    check = (image.get("Config") or {}).get("Healthcheck") or {}
    if not check.get("Test") or check["Test"][0] == "NONE":
        return
    starts_s, every_s = (int(check.get(key) or 0) / _SECOND_NS for key in ("StartPeriod", "Interval"))
    every_s, retries = every_s or _INTERVAL_S, int(check.get("Retries") or 0) or _RETRIES
    shortest_s = round(starts_s + every_s * retries, 6)
    if spec.soak_s < shortest_s:
        raise SoakTooShortError(
            f"Target '{spec.name}' soaks for {spec.soak_s:g} s, and the check that {reference} brings needs {shortest_s:g} s "
            f"({starts_s:g} s to start + {retries} × {every_s:g} s) to notice that it fails.",
            permanent=True,
            advice=f"Declare soak_s of {shortest_s:g} or more, a health check of your own that looks more often, or no soak.",
            field="soak_s",
        )
