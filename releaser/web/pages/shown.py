"""How a page is shown: the templates, what they can say, and the answer made of it.

Everything is escaped by Jinja2; `| safe` stands nowhere but behind `domain.changelog`'s cleaned HTML.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from releaser.domain.carry import reason_from
from releaser.domain.embargo import Untold, untold_in
from releaser.web.pages import rollout_words
from releaser.web.pages.reasons import reason_of, step_of
from releaser.web.pages.refusals import refusal_of
from releaser.web.pages.words import tone_of, word_of
from releaser.web.reader import LANGUAGE_COOKIE, Reader

HERE = Path(__file__).parent.parent
STATIC = HERE / "static"
_YEAR_S = 365 * 24 * 3600


# C0 and C1 controls but tab and line ends, and the marks that turn the direction of text around.
_STEERING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# An instant as the service's own reasons hold it.
_UTC = re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}Z")


def inert(value: object) -> object:
    """Text of others without what steers a terminal or turns text around; markup made here is left as it is."""
    return _STEERING.sub("\ufffd", value) if type(value) is str else value


@cache
def environment() -> Environment:
    """The templates, with the filters that need no reader."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        finalize=inert,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["tone"] = tone_of
    made.filters["part"] = lambda text: quote(str(text), safe="")
    made.globals["asset"] = asset
    return made


@cache
def asset(name: str) -> str:
    """The address of a static file, with its content's hash, so that browsers may keep it for good."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def shown(
    request: Request,
    reader: Reader,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: object,
) -> Response:
    """A page for its reader; a language chosen in the address is remembered."""
    page = HTMLResponse(render(request, reader, template, **context), status_code=status, headers=dict(headers or {}))
    page.headers["Vary"] = "Accept-Language, Cookie"
    page.headers["Content-Language"] = reader.language
    if reader.chosen:
        page.set_cookie(LANGUAGE_COOKIE, reader.chosen, max_age=_YEAR_S, samesite="lax", httponly=True)
    return page


def render(request: Request, reader: Reader, template: str, **context: object) -> str:
    """The text of a template for its reader."""
    return (
        environment()
        .get_template(template)
        .render(
            t=reader.t,
            reader=reader,
            say=Say(reader),
            nonce=getattr(request.state, "nonce", ""),
            path=request.url.path,
            here=request.url,
            **context,
        )
    )


class Say:
    """What templates say in the reader's language and zone."""

    def __init__(self, reader: Reader) -> None:
        self._t = reader.t
        self._zone = reader.zone

    def word(self, state: str) -> str:
        """A state, a kind or a reason in the reader's words."""
        return word_of(state, self._t)

    def reason(self, reason: str) -> str:
        """Why something came to be: the service's own reasons in the reader's words and zone, others as they are."""
        return _UTC.sub(self._in_zone, reason_of(reason, self._t))

    def begun(self, source: str, by: str, reason: str) -> str:
        """Why a rollout runs, with who let it: what people write is often too short to stand alone."""
        return rollout_words.begun_words(source, by, self.reason(reason), self._t)

    def _in_zone(self, found: re.Match[str]) -> str:
        try:
            return self.moment(datetime.strptime(found[0], "%Y-%m-%d %H:%MZ").replace(tzinfo=UTC))
        except ValueError:
            return found[0]

    def stated(self, one: Mapping[str, Any]) -> str:
        """Why something was stated of a ticket: the service's own reasons in the reader's words, a person's as it was written."""
        return reason_from(one["why"]).told(self._t) if one["why"] else str(one["reason"])

    def refusal(self, text: str) -> str:
        """Why a page cannot be shown, and what helps, in the reader's words where it is known by its form."""
        return refusal_of(text, self._t)

    def step(self, name: str) -> str:
        """A step of an update in the reader's words."""
        return step_of(name, self._t)

    def rank(self, rank: str) -> str:
        """How targets of a rollout stand."""
        return rollout_words.rank_word(rank, self._t)

    def next(self, rollout: Mapping[str, Any]) -> str:
        """What a rollout needs next."""
        inconsistent = rollout["counts"].get("inconsistent", 0)
        return rollout_words.next_of(
            rollout["state"],
            self._t,
            pause_reason=rollout["pause_reason"],
            heir=rollout.get("heir"),
            inconsistent=inconsistent,
            has_left=rollout.get("has_left", False),
        )

    def waits(self, what: str | None) -> str:
        """What a target waits for."""
        return rollout_words.waits_of(what, self._t)

    def ended_by(self, what: str | None) -> str:
        """Who or what ends that wait."""
        return rollout_words.ended_by(what, self._t)

    def steer(self, steer: str) -> str:
        """What can be asked of a rollout: the name of a button."""
        return rollout_words.steer_word(steer, self._t)

    def does(self, steer: str) -> str:
        """What asking for it does."""
        return rollout_words.steer_does(steer, self._t)

    def may(self, steer: str) -> str:
        """Who may ask for it."""
        return rollout_words.who_may(steer, self._t)

    def second(self, at: datetime | None) -> str:
        """`:05`: the seconds of an instant, for logs, behind its minute."""
        return f":{at.second:02}" if at else ""

    def instant(self, at: datetime | None) -> str:
        """`21 November 2026, 10:00 (Moscow, UTC+03:00)`, a dash for none."""
        return self._t.instant(at, self._zone) if at else "–"

    def moment(self, at: datetime | None) -> str:
        """`21 November 2026, 10:00`: for tables, whose page names the zone once."""
        return self._t.instant(at, self._zone).rpartition(" (")[0] if at else "–"

    def clock(self, at: datetime | None) -> str:
        """`10:00`."""
        return self._t.clock(at, self._zone) if at else "–"

    def day(self, on: date | datetime | None) -> str:
        """`21 November 2026`; of an instant, its day in the reader's zone."""
        if isinstance(on, datetime):
            return self._t.instant(on, self._zone).partition(", ")[0]
        return self._t.day(on) if on else "–"

    def tick(self, on: date, *, by_day: bool, by_month: bool) -> str:
        """A date on an axis: `9 Mar`, or `Mar`, and at the turn of a year its number."""
        return self._t.short(on, by_day=by_day, by_month=by_month)

    def iso(self, at: datetime | date | None) -> str:
        """For machines: the `datetime` attribute."""
        return at.isoformat() if at else ""

    def zone(self, at: datetime) -> str:
        """`Moscow, UTC+03:00` at that instant."""
        shown = self._t.instant(at, self._zone)
        return shown.rpartition(" (")[2].rstrip(")")

    def length(self, stop: float | None) -> str:
        """A stop's length; `no stop` for none at all, a dash for one that is not known."""
        return self._t("no stop") if stop == 0 else self.seconds(stop)

    def stop(self, planned: float | None, measured: float | None) -> str:
        """The planned and the measured stop in one breath."""
        if not planned and not measured:
            return self._t("no stop") if measured == 0 else self._t("no stop is planned")
        if measured is None:
            return self._t("planned {planned}", planned=self.seconds(planned))
        return self._t(
            "planned {planned}, measured {measured}", planned=self.seconds(planned), measured=self.seconds(measured)
        )

    def stay(self, was_there: Mapping[str, Any]) -> str:
        """Until when a fix was somewhere, and what took it away."""
        until, since = self.moment(was_there["until"]), self.moment(was_there["since"])
        told = (
            self._t("was there from {since} until {until}", since=since, until=until)
            if was_there["since"]
            else self._t("was there until {until}", until=until)
        )
        lost_by = was_there["lost_by"]
        return f"{told}, {self._t('lost by rollout {number}', number=lost_by)}" if lost_by else told

    def seconds(self, length: float | None) -> str:
        """A stop's length: short ones with a fraction (`0.42 s`), long ones in their two largest units."""
        if length is None:
            return "–"
        if length >= 60:
            return self._t.duration(timedelta(seconds=round(length)))
        figure = (
            f"{length:.0f}"
            if length == int(length) or length >= 10
            else f"{length:.2f}"
            if length < 1
            else f"{length:.1f}"
        )
        return self._t("{n} s", n=figure.replace(".", ",") if self._t.language == "ru" else figure)


def untold_to(reader: Reader) -> Untold:
    """What its reader is told in place of a text under embargo."""
    return untold_in(reader.t, reader.zone)


def text_in(reader: Reader, texts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The text in the reader's language, else the first there is."""
    return next((one for one in texts if one["language"] == reader.language), texts[0] if texts else None)


def titled(notice: dict[str, Any], reader: Reader) -> dict[str, Any]:
    """A notice's facts with its text in the reader's language."""
    return {**notice, "text": text_in(reader, notice["texts"])}
