"""A rollout's live stream (server-sent events).

`state` comes first: the whole rollout as it stands. Then `move` for every move of the rollout, a wave or a target (with an id),
`step` for every step of the journal, and `end` with the rollout as it ended; then the stream closes. With
`Last-Event-ID` the moves missed since come before the state. A comment every 15 s keeps proxies from giving up. When the
service stops, the stream closes without `end`: the reader's client connects again and misses nothing.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, FastAPI, Header, Query, Request
from starlette.responses import StreamingResponse

from releaser.flows.count_targets import count_targets
from releaser.flows.ports import Facts, Ports
from releaser.flows.show_rollout import show_rollout
from releaser.web.answers import as_json
from releaser.web.api.following import LOOK_EVERY_S, News, Watch, followed, is_over, moves_since
from releaser.web.asked import Asked, Id

router = APIRouter(tags=["rollouts"])
HEARTBEAT_S = 15.0
RETRY_MS = 1_000
HEARTBEAT = ": still here\n\n"
EXAMPLE = 'id: 41\nevent: move\ndata: {"id":41,"of":"rollout","from":"running","to":"paused","by":"olga","reason":"a look"}\n\n'
NO_PROXY_BUFFER = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get(
    "/rollouts/{rollout_id}/events",
    summary="Follow a rollout live (server-sent events)",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
            "description": "`state`, the rollout as it stands; `move` and `step` as they happen; at last `end`, the rollout as it "
            "ended. Of a `move` the id grows and can be given as `Last-Event-ID`. A comment every 15 s.",
        }
    },
)
async def events(
    request: Request,
    ports: Asked,
    rollout_id: Id,
    last_event_id: Annotated[str, Header(max_length=40, description="The id of the last event that was seen.")] = "",
    *,
    targets: Annotated[
        bool, Query(description="Whether `state` and `end` tell its targets; else their `counts`.")
    ] = True,
) -> StreamingResponse:
    """What is not there is refused before the stream begins."""
    await anyio.to_thread.run_sync(is_over, ports, rollout_id)
    stream = _stream(
        request.app, ports, rollout_id, seen=number_of(last_event_id), facts=show_rollout if targets else count_targets
    )
    return StreamingResponse(stream, media_type="text/event-stream", headers=NO_PROXY_BUFFER)


def number_of(last_event_id: str) -> int | None:
    """The number that a client says it saw last; None for what no number of a move can be."""
    return (
        int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19 else None
    )


async def _stream(
    app: FastAPI, ports: Ports, rollout_id: int, *, seen: int | None, facts: Callable[..., Facts]
) -> AsyncIterator[str]:
    def told_now() -> Facts:
        return facts(ports, rollout_id=rollout_id)

    with followed(app, ports, rollout_id) as watch:
        await anyio.to_thread.run_sync(lambda: watch.look(now=True))
        told, newest = watch.number, watch.newest
        yield f"retry: {RETRY_MS}\n\n"
        if seen is not None:
            for one in await anyio.to_thread.run_sync(lambda: moves_since(ports, rollout_id, seen, until=newest)):
                yield event("move", one, number=one["id"])
        yield event("state", await anyio.to_thread.run_sync(told_now), number=newest)
        async for news in after(watch, told, app.state.stopping):
            if news is None:
                yield HEARTBEAT
                continue
            told = news.number
            for step in news.steps:
                yield event("step", step)
            for one in news.moves:
                yield event("move", one, number=one["id"])
        if watch.is_end and told == watch.number:
            yield event("end", await anyio.to_thread.run_sync(told_now), number=watch.newest)


async def after(watch: Watch, told: int, stopping: threading.Event) -> AsyncIterator[News | None]:
    """What is found after the look `told`, as it is found; None for each time of silence.

    Ends with the rollout, with the service, and when a follower is so slow that something is not kept any more: its client
    connects again and is told what it missed.
    """
    quiet_s = 0.0
    while not stopping.is_set():
        news = watch.after(told)
        if news is None:
            return
        for one in news:
            told, quiet_s = one.number, 0.0
            yield one
        if watch.is_end and told == watch.number:
            return
        await anyio.sleep(LOOK_EVERY_S)
        quiet_s += LOOK_EVERY_S
        if watch.is_due():
            await anyio.to_thread.run_sync(watch.look)
        if quiet_s >= HEARTBEAT_S:
            quiet_s = 0.0
            yield None


def event(kind: str, data: dict[str, Any], *, number: int | None = None) -> str:
    """One event; JSON holds no line break, so it is one `data` line."""
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {kind}\ndata: {as_json(data)}\n\n"
