"""Who reads a page: in which language and in which zone. Asked for in this order.

Language: `?lang=`, the cookie of an earlier choice, `Accept-Language`, the service's own. Zone: the cookie that the
page's script sets from the browser, the service's own. Both come from anybody and are checked.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from releaser.i18n import LANGUAGES, Translator, known_zone, translator

LANGUAGE_COOKIE = "lang"
ZONE_COOKIE = "zone"
_LONGEST_HEADER = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """The reader of one page. `chosen` is the language asked for in the address, to be remembered."""

    t: Translator
    zone: str
    chosen: str | None = None

    @property
    def language(self) -> str:
        """The language's two letters."""
        return self.t.language


def reader_of(request: Request) -> Reader:
    """The reader who sent this request."""
    asked = request.query_params.get("lang", "")
    chosen = asked if asked in LANGUAGES else None
    remembered = request.cookies.get(LANGUAGE_COOKIE, "")
    language = (
        chosen
        or (remembered if remembered in LANGUAGES else None)
        or preferred(request.headers.get("accept-language", ""))
        or request.app.state.language
    )
    # A cookie's value may not hold a slash everywhere; the script writes the zone's name percent-encoded.
    zone = request.cookies.get(ZONE_COOKIE, "").replace("%2F", "/")
    known = zone and len(zone) <= 64 and known_zone(zone) is not None
    return Reader(t=translator(language), zone=zone if known else request.app.state.zone, chosen=chosen)


def preferred(header: str) -> str | None:
    """The best language of an `Accept-Language` header (RFC 9110, 12.5.4) that there is, or None."""
    if len(header) > _LONGEST_HEADER:
        return None
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(header.split(",")):
        tag, _, parameter = part.strip().partition(";")
        weight = parameter.strip().removeprefix("q=") if parameter else "1"
        try:
            quality = float(weight)
        except ValueError:
            continue
        primary = tag.strip().lower().partition("-")[0]
        if primary in LANGUAGES and 0 < quality <= 1:
            ranked.append((-quality, place, primary))
    return min(ranked)[2] if ranked else None
