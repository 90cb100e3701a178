"""Messages in the reader's language, and dates in the reader's zone.

English is the message's own name: `t("Release notes")` looks it up in `locale/<language>.po` and falls back to the
English text. The catalogues are read as they are, once per process; there is no compile step. A test collects every
message of the code and the templates and fails, with the lines to paste, when one has no Russian translation.

How to write messages: call the translator `t`, give it literals (`t("No action needed.")`, `t.n("{n} fix", "{n} fixes",
n)`), and put values in by name (`t("Version {version}", version=v)`; `%(version)s` works too). A text that stands in a
table and is translated later is wrapped in `mark("Added")` there.

What does not live here: which language a reader wants (the edges know), and escaping (the renderers do it).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LANGUAGES = ("en", "ru")
DEFAULT_LANGUAGE = "en"
LOCALES = Path(__file__).parent / "locale"

# CLDR's plural categories of whole numbers, in the order of `msgstr[0]`, `msgstr[1]` ... in the catalogues.
_PLURALS = {"en": ("one", "other"), "ru": ("one", "few", "many")}
# Dates: British English puts the day first and counts 24 hours, as the Russian form does.
_DATE_LOCALES = {"en": "en_GB", "ru": "ru"}
_PLACE = re.compile(r"%\((\w+)\)s|\{(\w+)\}")
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def mark(message: str) -> str:
    """Say that `message` is one to translate, where it stands; it is translated when it is shown."""
    return message


@cache
def catalogue(language: str) -> Mapping[str, tuple[str, ...]]:
    """The translations of one language: message -> its form, or its plural forms. Fuzzy and empty ones are left out.

    English has none: its messages are what stands in the code.
    """
    if language == DEFAULT_LANGUAGE:
        return MappingProxyType({})
    # Imported here: a command that speaks English must not pay for reading catalogues.
    from babel.messages.pofile import read_po  # noqa: PLC0415

    found: dict[str, tuple[str, ...]] = {}
    with (LOCALES / f"{language}.po").open("rb") as file:
        for message in read_po(file, locale=language, abort_invalid=True):
            key = message.id if isinstance(message.id, str) else message.id[0]
            forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
            if key and not message.fuzzy and forms and all(forms):
                found[key] = forms
    return MappingProxyType(found)


@cache
def translator(language: str) -> Translator:
    """The translator for `language` (`ru`, `ru-RU`, `en` ...); English for one that is not known."""
    known = re.split("[-_]", language.lower(), maxsplit=1)[0]
    return Translator(known if known in LANGUAGES else DEFAULT_LANGUAGE)


def known_zone(name: str) -> ZoneInfo | None:
    """The IANA zone of that name, or None; the name may come from anybody."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _fill(text: str, values: Mapping[str, object]) -> str:
    """Put values in their places; a place without a value stays as it is."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return str(values[name]) if name in values else match[0]

    return _PLACE.sub(value, text) if values else text


class Phrase(str):
    """A sentence in English that can be said in other languages: a message with places, and their values beside it."""

    __slots__ = ("says", "values")
    says: str
    values: Mapping[str, object]

    def __new__(cls, says: str, /, **values: object) -> Self:
        """`says` is marked by `mark`."""
        made = super().__new__(cls, _fill(says, values))
        made.says, made.values = says, values
        return made

    def told(self, t: Translator) -> str:
        """The sentence in the reader's language."""
        return t(self.says, **self.values)


class Translator:
    """Says messages, dates and durations in one language. Get it by `translator(language)`."""

    def __init__(self, language: str, messages: Mapping[str, tuple[str, ...]] | None = None) -> None:
        """Speak `language` by `messages`, which is its catalogue where none is given."""
        self.language = language
        self._messages = catalogue(language) if messages is None else messages

    def __call__(self, message: str, /, **values: object) -> str:
        """`message` in this language with `{name}` and `%(name)s` replaced by values."""
        forms = self._messages.get(message)
        return _fill(forms[0] if forms else message, values)

    def n(self, singular: str, plural: str, n: int, /, **values: object) -> str:
        """The form for the number `n`, which is also the value `{n}`."""
        forms = self._messages.get(singular)
        if forms and len(forms) > 1:
            text = forms[_PLURALS[self.language].index(self._category(n))]
        else:
            text = singular if n == 1 else plural
        return _fill(text, {"n": n, **values})

    def instant(self, at: datetime, zone: str = "UTC") -> str:
        """`21 November 2026, 10:00 (Moscow, UTC+03:00)`: in the reader's zone, and the zone named."""
        from babel.dates import format_time  # noqa: PLC0415 -- as in `catalogue`

        local = self._local(at, zone)
        return f"{self.day(local.date())}, {format_time(local, 'HH:mm', locale=self._dates)} ({self._zone(local)})"

    def clock(self, at: datetime, zone: str = "UTC") -> str:
        """`10:00`: the time alone, for where the day and the zone stand beside it."""
        return f"{self._local(at, zone):%H:%M}"

    def day(self, on: date) -> str:
        """`21 November 2026`."""
        from babel.dates import format_date  # noqa: PLC0415 -- as in `catalogue`

        # CLDR's narrow blank is missing in many fonts and terminals.
        return format_date(on, "long", locale=self._dates).replace("\u202f", "\xa0")

    def short(self, on: date, *, by_day: bool, by_month: bool) -> str:
        """For an axis: `9 Mar` by days, `Mar` by months (a January by its year), else `2026`."""
        from babel.dates import format_date  # noqa: PLC0415 -- as in `catalogue`

        if by_day:
            return format_date(on, "d MMM", locale=self._dates)
        return format_date(on, "LLL" if by_month and on.month > 1 else "y", locale=self._dates)

    def duration(self, length: timedelta) -> str:
        """`1 hour 35 minutes`: the two largest units that are not zero, the rest rounded down."""
        from babel.units import format_unit  # noqa: PLC0415 -- as in `catalogue`

        left = max(0, int(length.total_seconds()))
        counted = []
        for unit, size in _UNITS:
            counted.append((unit, left // size))
            left %= size
        first = next((index for index, (_, count) in enumerate(counted) if count), len(counted) - 1)
        shown = [part for index, part in enumerate(counted[first : first + 2]) if part[1] or not index]
        return " ".join(format_unit(count, f"duration-{unit}", "long", locale=self._dates) for unit, count in shown)

    @property
    def _dates(self) -> str:
        return _DATE_LOCALES[self.language]

    def _category(self, n: int) -> str:
        from babel import Locale  # noqa: PLC0415 -- as in `catalogue`

        return str(Locale.parse(self.language).plural_form(n))

    @staticmethod
    def _local(at: datetime, zone: str) -> datetime:
        """`at` in the zone; in UTC when the zone is not known, which the shown name then says."""
        return at.astimezone(known_zone(zone) or UTC)

    def _zone(self, local: datetime) -> str:
        from babel.dates import get_timezone_gmt, get_timezone_location  # noqa: PLC0415 -- as in `catalogue`

        if not local.utcoffset() and getattr(local.tzinfo, "key", "UTC") in {"UTC", "Etc/UTC"}:
            return "UTC"
        offset = get_timezone_gmt(local, "iso8601", locale="en")
        return f"{get_timezone_location(local, locale=self._dates, return_city=True)}, UTC{offset}"
