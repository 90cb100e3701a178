"""What keeps an open page of a rollout up to date: server-sent events with the pieces that changed, ready to be put in.

`pieces` is sent first, with everything small as it stands and the targets that moved since `after` (or `Last-Event-ID`,
which a browser sends when it connects again), then for every look that found something. It holds `parts` (HTML by the id of what
it replaces), `rows` (targets: id, wave, rank, HTML), `log` (new lines, newest first), `open` (waves that something happens in) and `said`
(a sentence for people who cannot see it). `whole` says that too much changed for that: the page gets all of itself again.
`end` closes the stream, as in `web.api.events`. The state is read after the place in the stream was taken, so nothing
is missed between them.

Each piece is made once for all readers of one language and zone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import replace
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, FastAPI, Header, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import StreamingResponse

from releaser.flows.ports import Ports
from releaser.i18n import known_zone
from releaser.store import rollout_log, rollout_view
from releaser.web.api.events import HEARTBEAT, NO_PROXY_BUFFER, RETRY_MS, after, event, number_of
from releaser.web.api.following import News, Watch, followed, is_over, moves_since
from releaser.web.asked import Asked, Id, Reading
from releaser.web.pages.rollout_standing import Standing, journaled, standing_in
from releaser.web.pages.shown import Say, environment
from releaser.web.reader import Reader

router = APIRouter()
MOST_ROWS = 120
MOST_LINES = 20

Pieces = dict[str, Any]


@router.get("/rollouts/{rollout_id}/stream")
async def stream(
    request: Request,
    ports: Asked,
    reader: Reading,
    rollout_id: Id,
    after: Annotated[str, Query(max_length=40)] = "",
    zone: Annotated[str, Query(max_length=64)] = "",
    last_event_id: Annotated[str, Header(max_length=40)] = "",
) -> StreamingResponse:
    """What is not there is refused before the stream begins. `zone` is the page's: a first visit knows no other one yet."""
    await anyio.to_thread.run_sync(is_over, ports, rollout_id)
    seen = number_of(last_event_id) if last_event_id else number_of(after)
    of_page = replace(reader, zone=zone) if zone and known_zone(zone) is not None else reader
    made = _stream(request.app, ports, rollout_id, of_page, seen=seen)
    return StreamingResponse(made, media_type="text/event-stream", headers=NO_PROXY_BUFFER)


async def _stream(
    app: FastAPI, ports: Ports, rollout_id: int, reader: Reader, *, seen: int | None
) -> AsyncIterator[str]:
    key = (reader.language, reader.zone)
    with followed(app, ports, rollout_id) as watch:
        await anyio.to_thread.run_sync(lambda: watch.look(now=True))
        told, newest = watch.number, watch.newest
        watch.memory.pop(key, None)  # what is told next is told whole, whatever this reader is told now
        yield f"retry: {RETRY_MS}\n\n"
        first = await anyio.to_thread.run_sync(_first, ports, rollout_id, reader, seen, newest)
        yield event("pieces", first, number=newest)
        async for news in after(watch, told, app.state.stopping):
            if news is None:
                yield HEARTBEAT
                continue
            told = news.number
            if key not in news.shown:
                await anyio.to_thread.run_sync(_show, ports, rollout_id, reader, watch, news)
            if news.shown[key]:
                yield news.shown[key]
        if watch.is_end and told == watch.number:
            yield event("end", {"state": watch.state}, number=watch.newest)


def _first(ports: Ports, rollout_id: int, reader: Reader, seen: int | None, newest: int) -> Pieces:
    """What a page lacks that was made at the move `seen`."""
    missed = moves_since(ports, rollout_id, seen if seen is not None else newest, until=newest)
    with ports.database.reading() as session:
        one = standing_in(session, rollout_id)
        under_way = [row[0] for row in rollout_view.under_way(session, rollout_id)]
        moved = {move["target"] for move in missed if "target" in move}
        changed = moved | (set(under_way) if len(under_way) <= MOST_ROWS else set())
        if len(changed) > MOST_ROWS:
            return {"whole": True}
        rows = _rows(session, one, changed)
    fragments = Fragments(reader)
    return {**fragments.standing(one), "rows": fragments.rows(one, rows), "log": fragments.lines(one, missed)}


def _show(ports: Ports, rollout_id: int, reader: Reader, watch: Watch, news: News) -> None:
    """Make the event of one look for all readers of this language and zone."""
    key = (reader.language, reader.zone)
    with watch.lock:
        if key in news.shown:
            return
        if len(news.targets) > MOST_ROWS:
            news.shown[key] = event("pieces", {"whole": True}, number=news.newest)
            return
        if "facts" not in news.shown:
            with ports.database.reading() as session:
                one = standing_in(session, rollout_id)
                news.shown["facts"] = one, _rows(session, one, news.targets)
        one, rows = news.shown["facts"]
        fragments = Fragments(reader)
        made = fragments.standing(one)
        before = watch.memory.get(key, {})
        watch.memory[key] = made["parts"]
        pieces = {
            "parts": {name: html for name, html in made["parts"].items() if before.get(name) != html},
            "rows": fragments.rows(one, rows),
            "log": fragments.lines(one, news.moves),
        }
        if any(move["of"] != "target" for move in news.moves):
            pieces |= {"open": made["open"], "said": made["said"]}
        news.shown[key] = event("pieces", pieces, number=news.newest) if any(pieces.values()) else ""


def _rows(session: Session, one: Standing, ids: Collection[int]) -> list[dict[str, Any]]:
    return journaled(session, one, rollout_view.targets_of(session, one["id"], ids))


class Fragments:
    """The pieces of a rollout's page in a reader's language and zone."""

    def __init__(self, reader: Reader) -> None:
        self._t = reader.t
        self._say = Say(reader)
        given = {"t": reader.t, "say": self._say, "reader": reader}
        self._made: Any = environment().get_template("rollout_parts.html").make_module(given)

    def standing(self, one: Standing) -> Pieces:
        """Everything small that changes, whole."""
        parts = {
            "head": self._made.head(one),
            "next": self._made.next(one),
            "waits": self._made.waits(one),
            "consents": self._made.consents(one),
            "facts": self._made.facts(one),
            **{f"wave-{wave['number']}-head": self._made.wave_head(wave) for wave in one["waves"]},
        }
        return {
            "parts": {name: str(html).strip() for name, html in parts.items()},
            "open": one["open"],
            "said": self._said(one),
        }

    def _said(self, one: Standing) -> str:
        done = self._t("{done} of {total} targets done", done=one["done"], total=one["total"])
        waves = [
            f"{self._t('Wave {n}', n=wave['number'])}: {self._say.word(wave['state'])}"
            for wave in one["waves"]
            if wave["number"] in one["open"]
        ]
        return ". ".join([f"{self._t('Rollout')}: {self._say.word(one['state'])}", *waves, done])

    def rows(self, one: Standing, rows: Iterable[dict[str, Any]]) -> list[list[Any]]:
        """Targets: id, wave, rank, HTML."""
        scale = max(one["planned_stop_s"] or 0.0, one["measured_stop_s"] or 0.0)
        return [
            [row["id"], row["wave"], row["rank"], str(self._made.target(row, scale, one["id"])).strip()] for row in rows
        ]

    def lines(self, one: Standing, moves: Iterable[dict[str, Any]]) -> list[str]:
        """Lines of the log, newest first: those that such a rollout's page shows."""
        told = [move for move in moves if one["is_small"] or rollout_log.is_notable(move)]
        return [str(self._made.line(move)).strip() for move in reversed(told[-MOST_LINES:])]
