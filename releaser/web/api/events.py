"""A rollout's live stream (server-sent events).

`state` comes first: the whole rollout as it stands. Then `move` for every move of the rollout, a wave or a target (with an id),
`step` for every step of the journal, and `end` with the rollout as it ended; then the stream closes. With
`Last-Event-ID` the moves missed since come before the state. A comment every 15 s keeps proxies from giving up. When the
service stops, the stream closes without `end`: the reader's client connects again and misses nothing.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Request
from starlette.responses import StreamingResponse

from releaser.flows.ports import Ports
from releaser.flows.show_rollout import show_rollout
from releaser.web.answers import as_json
from releaser.web.api.following import LOOK_EVERY_S, Followed, look
from releaser.web.asked import Asked, Id

router = APIRouter(tags=["rollouts"])
HEARTBEAT_S = 15.0
RETRY_MS = 1_000
_NO_PROXY_BUFFER = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get(
    "/rollouts/{rollout_id}/events",
    summary="Follow a rollout live (server-sent events)",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events `state`, `move`, `step` and `end`."}},
)
async def events(
    request: Request,
    ports: Asked,
    rollout_id: Id,
    last_event_id: Annotated[str, Header(max_length=40, description="The id of the last event that was seen.")] = "",
) -> StreamingResponse:
    """What is not there is refused before the stream begins."""
    facts = await anyio.to_thread.run_sync(lambda: show_rollout(ports, rollout_id=rollout_id))
    seen = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else None
    stream = _stream(ports, facts["id"], seen=seen, stopping=request.app.state.stopping)
    return StreamingResponse(stream, media_type="text/event-stream", headers=_NO_PROXY_BUFFER)


async def _stream(ports: Ports, rollout_id: int, *, seen: int | None, stopping: threading.Event) -> AsyncIterator[str]:
    followed = Followed()
    before = await anyio.to_thread.run_sync(look, ports, rollout_id, followed)
    yield f"retry: {RETRY_MS}\n\n"
    for one in before.moves:
        if seen is not None and one["id"] > seen:
            yield event("move", one, number=one["id"])
    yield event("state", await _facts(ports, rollout_id), number=followed.newest)
    news, quiet_s = before, 0.0
    while not news.is_end:
        if stopping.is_set():
            return
        await anyio.sleep(LOOK_EVERY_S)
        news = await anyio.to_thread.run_sync(look, ports, rollout_id, followed)
        quiet_s = 0.0 if news.moves or news.steps else quiet_s + LOOK_EVERY_S
        for step in news.steps:
            yield event("step", step)
        for one in news.moves:
            yield event("move", one, number=one["id"])
        if quiet_s >= HEARTBEAT_S:
            quiet_s = 0.0
            yield ": still here\n\n"
    yield event("end", await _facts(ports, rollout_id), number=followed.newest)


async def _facts(ports: Ports, rollout_id: int) -> dict[str, Any]:
    return await anyio.to_thread.run_sync(lambda: show_rollout(ports, rollout_id=rollout_id))


def event(kind: str, data: dict[str, Any], *, number: int | None = None) -> str:
    """One event; JSON holds no line break, so it is one `data` line."""
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {kind}\ndata: {as_json(data)}\n\n"
