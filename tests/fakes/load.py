"""Requests all the time, from a process of its own, each answer looked at: what failed, who answered, how long it took and how long nobody did.

python -m tests.fakes.load PORT RATE CONNECTIONS KEEP_ALIVE HOST AHEAD      # until its input ends; a line on it names the next phase
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
_REQUEST = b"GET /version HTTP/1.1\r\nHost: shop\r\nConnection: %s\r\n\r\n"
_TIMEOUT_S = 10.0
_AHEAD = -15
_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Phase:
    """What happened while a phase lasted. Times in milliseconds."""

    answers: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    took_ms: list[float] = field(default_factory=list)
    gap_ms: float = 0.0

    def facts(self) -> dict[str, Any]:
        took = sorted(self.took_ms) or [0.0]
        return {
            "asked": sum(self.answers.values()) + sum(self.failed.values()),
            "answers": dict(self.answers),
            "failed": sum(self.failed.values()),
            "how": dict(self.failed),
            "median_ms": round(took[len(took) // 2], 2),
            "p99_ms": round(took[int(len(took) * 0.99)], 2),
            "gap_ms": round(self.gap_ms, 2),
        }


class Asking:
    """`connections` clients that together ask `rate` times a second."""

    def __init__(self, port: int, rate: float, connections: int, *, keep_alive: bool, host: str = "127.0.0.1") -> None:
        self._port = port
        self._host = host
        self._every = connections / rate
        self._connections = connections
        self._keep = keep_alive
        self.phases: dict[str, Phase] = {}
        self._phase = self._named("")
        self._last = time.perf_counter()
        self._over = False

    def _named(self, name: str) -> Phase:
        return self.phases.setdefault(name, Phase())

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop,), daemon=True).start()
        clients = [self._client(number) for number in range(self._connections)]
        await asyncio.gather(*clients)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(self._enter, line.strip())
        loop.call_soon_threadsafe(self._end)

    def _enter(self, name: str) -> None:
        self._phase = self._named(name)

    def _end(self) -> None:
        self._over = True

    async def _client(self, number: int) -> None:
        due = time.perf_counter() + self._every * number / self._connections
        streams: _Streams | None = None
        while not self._over:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            due = max(due + self._every, time.perf_counter() - 1)
            began, phase = time.perf_counter(), self._phase
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    streams = streams or await asyncio.open_connection(self._host, self._port)
                    who, keeps = await self._ask(*streams)
                phase.answers[who] += 1
                phase.took_ms.append((time.perf_counter() - began) * 1000)
                phase.gap_ms = max(phase.gap_ms, (time.perf_counter() - self._last) * 1000)
                self._last = time.perf_counter()
                if not keeps:
                    streams = self._close(streams)
            except (OSError, ValueError, EOFError) as error:
                phase.failed[f"{type(error).__name__}: {error}"[:100]] += 1
                streams = self._close(streams)
        self._close(streams)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, bool]:
        writer.write(_REQUEST % (b"keep-alive" if self._keep else b"close"))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next((line.partition(":")[2] for line in head.splitlines() if line.startswith("content-length:")), "")
        body = await reader.readexactly(int(length)) if length else await reader.read()
        if " 200 " not in head.partition("\r\n")[0]:
            raise ValueError(head.partition("\r\n")[0])
        return body.decode().strip(), self._keep and bool(length) and "connection: close" not in head

    def _close(self, streams: _Streams | None) -> _Streams | None:
        if streams is not None:
            streams[1].close()
        return None


class Load:
    """The same, from outside: a context manager; `facts` are there when it is over."""

    def __init__(
        self,
        port: int,
        *,
        rate: float = 200,
        connections: int = 8,
        keep_alive: bool = True,
        host: str = "127.0.0.1",
        ahead: bool = False,
    ) -> None:
        """`ahead`: as one on another machine, it is not held up by whoever else needs this one's processors (root only)."""
        words = [str(port), str(rate), str(connections), str(int(keep_alive)), host, str(int(ahead))]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.load", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.facts: dict[str, dict[str, Any]] = {}

    def enter(self, phase: str) -> None:
        """From now on it counts for this phase."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{phase}\n")
        self._process.stdin.flush()

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "asking\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        told, _ = self._process.communicate(timeout=30)
        self.facts = json.loads(told)


def main() -> None:
    port, rate, connections, keep_alive, host, ahead = sys.argv[1:]
    asking = Asking(int(port), float(rate), int(connections), keep_alive=keep_alive == "1", host=host)
    sys.stdout.write("asking\n")
    sys.stdout.flush()
    if ahead == "1":
        with suppress(PermissionError):
            os.nice(_AHEAD)
    asyncio.run(asking.run())
    sys.stdout.write(json.dumps({name: phase.facts() for name, phase in asking.phases.items()}))


if __name__ == "__main__":
    main()
