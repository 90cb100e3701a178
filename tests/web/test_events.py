"""The live stream of a rollout, over a real socket."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from releaser.domain.rollout import ROLLOUT_MOVES, UPDATE_MOVES, RolloutState, UpdateState
from releaser.flows.pause_rollout import pause_rollout
from releaser.flows.ports import Ports
from releaser.flows.resume_rollout import resume_rollout
from releaser.store import moves
from releaser.store.rollouts import Rollout, TargetUpdate
from tests.web import story
from tests.web.conftest import Served

Event = dict[str, Any]


class Stream:
    """A reader of server-sent events (the parts of the format that we send)."""

    def __init__(self, port: int, path: str, headers: dict[str, str] | None = None) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.connection.request("GET", path, headers={"Accept": "text/event-stream", **(headers or {})})
        self.answer = self.connection.getresponse()

    def events(self) -> Iterator[Event]:
        event: Event = {}
        for raw in self.answer:
            line = raw.decode().rstrip("\n")
            if not line and "data" in event:
                yield event
                event = {}
            name, colon, value = line.partition(": ")
            if name in {"id", "event", "data"} and colon:
                event[name] = json.loads(value) if name == "data" else value

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


@pytest.fixture
def follow(served: Served) -> Iterator[Callable[..., Stream]]:
    streams: list[Stream] = []

    def made(rollout: int, **headers: str) -> Stream:
        path = f"/v1/rollouts/{rollout}/events"
        streams.append(Stream(served.port, path, {name.replace("_", "-"): value for name, value in headers.items()}))
        return streams[-1]

    yield made
    for stream in streams:
        stream.close()


def finish(ports: Ports) -> None:
    """Let the running rollout of the story succeed."""
    with ports.database.transaction() as session:
        for update in session.query(TargetUpdate).filter_by(rollout_id=3, state=UpdateState.CUTTING_OVER):
            moves.move(session, update, UpdateState.VERIFYING, moves=UPDATE_MOVES, now=story.NOW, by="releaser")
        rollout = session.get_one(Rollout, 3)
        moves.move(session, rollout, RolloutState.SUCCEEDED, moves=ROLLOUT_MOVES, now=story.NOW, by="releaser")


def test_stream_of_what_ended_is_its_state_and_its_end(follow: Callable[..., Stream]) -> None:
    stream = follow(1)
    assert stream.answer.headers["content-type"].startswith("text/event-stream")
    assert stream.answer.headers["cache-control"] == "no-store"
    events = list(stream.events())
    assert [one["event"] for one in events] == ["state", "end"]
    assert events[1]["data"]["state"] == "succeeded"


def test_stream_tells_state_first_then_moves_then_the_end(follow: Callable[..., Stream], ports: Ports) -> None:
    events = follow(3).events()
    first = next(events)
    assert (first["event"], first["data"]["state"]) == ("state", "running")
    pause_rollout(ports, rollout_id=3, by="olga", reason="a look")
    paused = next(events)
    assert (paused["event"], paused["data"]["of"], paused["data"]["to"]) == ("move", "rollout", "paused")
    assert paused["data"]["reason"] == "a look"
    resume_rollout(ports, rollout_id=3, by="olga")
    finish(ports)
    told = list(events)
    assert [one["event"] for one in told][-1] == "end"
    assert told[-1]["data"]["state"] == "succeeded"
    target = next(one["data"] for one in told if one["data"].get("of") == "target")
    assert (target["installation"], target["to"]) == ("acme-prod", "verifying")
    numbers = [int(one["id"]) for one in [first, paused, *told]]
    assert numbers == sorted(numbers)


def test_reader_that_lost_the_stream_misses_nothing(follow: Callable[..., Stream], ports: Ports) -> None:
    stream = follow(3)
    seen = next(stream.events())["id"]
    stream.close()
    pause_rollout(ports, rollout_id=3, by="olga")
    resume_rollout(ports, rollout_id=3, by="olga")
    finish(ports)
    events = list(follow(3, Last_Event_ID=seen).events())
    assert [one["data"].get("to") for one in events[:4]] == ["paused", "running", "verifying", "succeeded"]
    assert [one["event"] for one in events[4:]] == ["state", "end"]


@pytest.mark.parametrize("seen", ["", "x", "-1", "9" * 39, "١"])
def test_nonsense_as_last_event_begins_anew(follow: Callable[..., Stream], seen: str) -> None:
    stream = follow(1, Last_Event_ID=seen.encode().decode("latin-1"))
    assert [one["event"] for one in stream.events()][-2:] == ["state", "end"]


def test_state_and_end_come_without_targets_when_asked(served: Served) -> None:
    stream = Stream(served.port, "/v1/rollouts/1/events?targets=false")
    state, end = list(stream.events())
    stream.close()
    assert [(one["event"], "targets" in one["data"]) for one in (state, end)] == [("state", False), ("end", False)]
    assert end["data"]["counts"]


def test_step_of_the_journal_is_told(follow: Callable[..., Stream], ports: Ports) -> None:
    events = follow(3).events()
    next(events)
    with ports.database.transaction() as session:
        update = session.query(TargetUpdate).filter_by(rollout_id=3, wave=2).order_by(TargetUpdate.id).first()
        assert update is not None
        story._journal(session, update, story.NOW + timedelta(seconds=1), ["start-new"])
    step = next(events)
    assert (step["event"], step["data"]["name"], step["data"]["state"]) == ("step", "start-new", "done")
    assert "id" not in step


SERVICE = """
import sys
from pathlib import Path
from releaser.clock import SystemClock
from releaser.flows.ports import Ports
from releaser.store.session import Database
from releaser.web.app import create_app
from releaser.web.server import Server
ports = Ports(database=Database("sqlite:///" + sys.argv[1]), clock=SystemClock(), repositories=None, registry=None, drivers={},
              channels={}, home=Path("."), address="http://127.0.0.1", owner="test", wake=lambda: None)
Server(create_app(ports), host="127.0.0.1", port=int(sys.argv[2])).run()
"""


def test_service_with_open_streams_ends_soon(ports: Ports) -> None:
    port = Served(ports).port
    service = subprocess.Popen([sys.executable, "-c", SERVICE, str(ports.database.file), str(port)])
    try:
        streams = [_stream_when_up(port) for _ in range(3)]
        events = [stream.events() for stream in streams]
        assert [next(one)["event"] for one in events] == ["state"] * 3
        began = time.monotonic()
        service.send_signal(signal.SIGTERM)
        assert [list(one) for one in events] == [[], [], []]
        assert service.wait(20) in {0, -signal.SIGTERM}
        assert time.monotonic() - began < 20, (
            "it waits for its streams; 5 s are enough on a machine with nothing else to do"
        )
        for stream in streams:
            stream.close()
    finally:
        service.kill()
        service.wait()


def _stream_when_up(port: int) -> Stream:
    for _ in range(600):
        try:
            return Stream(port, "/v1/rollouts/3/events")
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise TimeoutError(port)
