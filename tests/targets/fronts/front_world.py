"""Real fronts on loopback with small servers behind them, and a client that never stops asking."""

from __future__ import annotations

import http.client
import http.server
import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from releaser.clock import SystemClock
from releaser.demo.ports import free_port
from releaser.errors import OutsideError
from releaser.targets.front import Front
from releaser.targets.fronts.caddy import Caddy
from releaser.targets.fronts.haproxy import HAProxy
from tests.needs import program

STARTED_IN_S = 30.0

HAPROXY = """
global
    stats socket {socket} level admin
    stats timeout 10s
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
    retries 3
    option redispatch 1
frontend web
    bind 127.0.0.1:{port}
    default_backend app
"""
BACKEND = """backend app
    balance roundrobin
"""


class Backend:
    """A server that answers with its name; `hold` makes it keep every answer back until it is set."""

    def __init__(self, name: str) -> None:
        self.hold = threading.Event()
        self.hold.set()
        self.asked = threading.Event()
        hold, asked = self.hold, self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked.set()
                hold.wait(10)
                body = name.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A front that closes a connection is no news."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class World:
    """One running front."""

    def __init__(self, front: Front, port: int, restart: Callable[[], None], *, counts: bool) -> None:
        self.front = front
        self.port = port
        self.restart = restart
        self.counts = counts
        """Whether it tells what a drained server is still busy with."""

    def get(self) -> tuple[int, str]:
        """One request through the front; asked once more where the front was just taking its servers over, as Caddy resets then."""
        try:
            return self._get()
        except ConnectionResetError:
            return self._get()

    def _get(self) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    @contextmanager
    def load(self) -> Iterator[Counter[str]]:
        """Ask all the time; what was answered, by who did, and everything that failed."""
        told: Counter[str] = Counter()
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                try:
                    status, who = self.get()
                    told[who if status == 200 else f"failed {status}"] += 1
                except OSError as error:
                    told[f"failed {error}"] += 1

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield told
        finally:
            stop.set()
            thread.join()


@contextmanager
def haproxy(folder: Path) -> Iterator[World]:
    """HAProxy, started with a configuration and, behind it, the file that is kept."""
    port, socket, file = free_port(), folder / "admin.sock", folder / "app.cfg"
    config = folder / "haproxy.cfg"
    config.write_text(HAPROXY.format(socket=socket, port=port))
    file.write_text(BACKEND)
    words = [program("haproxy", of="haproxy"), "-db", "-f", str(config), "-f", str(file)]
    front = HAProxy(address=f"unix://{socket}", backend="app", clock=SystemClock(), file=file)
    with _running(words, folder, front) as restart:
        yield World(front, port, restart, counts=True)


@contextmanager
def caddy(folder: Path) -> Iterator[World]:
    """Caddy, started with a configuration whose handler has an `@id`."""
    port, admin = free_port(), folder / "caddy.sock"
    handler = {"@id": "app", "handler": "reverse_proxy", "upstreams": []}
    server = {"listen": [f"127.0.0.1:{port}"], "automatic_https": {"disable": True}, "routes": [{"handle": [handler]}]}
    config = folder / "caddy.json"
    config.write_text(
        json.dumps(
            {
                "admin": {"listen": f"unix/{admin}", "enforce_origin": False, "config": {"persist": True}},
                "logging": {"logs": {"default": {"level": "ERROR"}}},
                "apps": {"http": {"grace_period": "5s", "servers": {"web": server}}},
            }
        )
    )
    words = [program("caddy", of="caddy"), "run", "--resume", "--config", str(config)]
    front = Caddy(address=f"unix://{admin}", handler="app")
    with _running(words, folder, front) as restart:
        yield World(front, port, restart, counts=False)


@contextmanager
def _running(words: list[str], folder: Path, front: Front) -> Iterator[Callable[[], None]]:
    environment = {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "PATH": "/usr/bin",
    }
    running: list[subprocess.Popen[bytes]] = []
    log = (folder / "log").open("ab")

    def end() -> None:
        while running:
            process = running.pop()
            process.terminate()
            process.wait(10)

    def restart() -> None:
        end()
        running.append(subprocess.Popen(words, env=environment, stdout=log, stderr=log, cwd=folder))
        ends = time.monotonic() + STARTED_IN_S
        while True:
            try:
                front.check()
            except OutsideError:
                if time.monotonic() > ends or running[0].poll() is not None:
                    raise AssertionError((folder / "log").read_text(errors="replace")[-2000:]) from None
                time.sleep(0.02)
            else:
                return

    try:
        restart()
        yield restart
    finally:
        end()
        log.close()
