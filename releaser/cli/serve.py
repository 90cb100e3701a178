"""`releaser serve` and `releaser worker`: the service in one process, or its engine alone. Ended in order is exit 0."""

from __future__ import annotations

import ipaddress
import signal
import socket
import threading
from types import FrameType
from typing import Annotated

import typer

from releaser.assembly import assembled, configured
from releaser.bell import Bell
from releaser.cli.address import announced
from releaser.cli.exits import TerminatedError
from releaser.cli.group import commands
from releaser.cli.logs import log_to_stderr
from releaser.cli.show import Output, as_json, tell
from releaser.errors import OutsideError, RefusedError
from releaser.web.app import create_app
from releaser.web.server import Server
from releaser.worker.engine import engine_for

app = commands()

OutputOption = Annotated[
    Output, typer.Option("-o", "--output", help="How it tells that it is ready, on standard error, and what is wrong.")
]
DatabaseOption = Annotated[
    str, typer.Option(help="SQLAlchemy URL of the database; RELEASER_DATABASE_URL when not given.", show_default=False)
]


class AddressTakenError(OutsideError):
    """Something else listens there."""


class AddressRefusedError(RefusedError):
    """The address can be reached from other machines."""


def _check_loopback(host: str) -> None:
    try:
        inside = ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = host == "localhost"
    if not inside:
        raise AddressRefusedError(
            f"The service does not listen on '{host}': it has no access control yet, so everybody who reaches it may do all.",
            rule="loopback-only",
            advice="Listen on 127.0.0.1, and let a reverse proxy that checks who asks stand before it.",
            field="host",
        )


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before anything else is begun. Raises `AddressTakenError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        # Of two that bind with SO_REUSEADDR at once only one may listen.
        listening.listen()
    except OSError as error:
        listening.close()
        raise AddressTakenError(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            permanent=False,
            advice="Stop what listens there, or choose another port with --port.",
            field="port",
        ) from error
    return listening


@app.command("serve", epilog="Example: releaser serve --port 8080")
def serve_command(
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on, RELEASER_HOST when not given; only this machine's own for now.",
            show_default=False,
        ),
    ] = "",
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port to listen on, RELEASER_PORT when not given; 0 is a free one.",
            show_default=False,
        ),
    ] = None,
    database_url: DatabaseOption = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """Serve pages, API and worker in one process. The first start creates the database; SIGTERM or Ctrl-C ends it in order."""
    chosen = configured(host=host, port=port, database_url=database_url)
    _check_loopback(chosen.host)
    log_to_stderr()
    bell = Bell()
    with _listen(chosen.host, chosen.port) as listening:
        chosen = configured(host=host, port=listening.getsockname()[1], database_url=database_url)
        with assembled(chosen, bell=bell) as ports:
            web = create_app(ports, language=chosen.language, zone=chosen.zone)
            worker = engine_for(ports, bell=bell, threads=chosen.worker_threads, tick_s=chosen.tick_s)
            worker.start()
            ready = {"address": ports.address, "database": repr(ports.database.engine.url)}
            text = f"releaser serves on {ready['address']} (database: {ready['database']})"
            tell(as_json(ready) if output is Output.JSON else text)
            try:
                with announced(ports.home, ports.address, host=chosen.host, port=chosen.port):
                    # Told of the signal first, it ends the live streams; uvicorn alone would wait for them.
                    Server(web, host=chosen.host, port=chosen.port).run(sockets=[listening])
            except (KeyboardInterrupt, TerminatedError):
                # Everything has ended in order by now; uvicorn only passes the signal on.
                pass
            finally:
                worker.stop()


@app.command("worker", epilog="Example: releaser worker --database-url postgresql://releaser@db/releaser")
def worker_command(database_url: DatabaseOption = "", output: OutputOption = Output.TEXT) -> None:
    """Work at rollouts, deliveries and requests without serving pages. Any number may run on PostgreSQL."""
    chosen = configured(database_url=database_url)
    log_to_stderr()
    bell, stop = Bell(), threading.Event()

    def _stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    with assembled(chosen, bell=bell) as ports:
        worker = engine_for(ports, bell=bell, threads=chosen.worker_threads, tick_s=chosen.tick_s)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
        worker.start()
        ready = {"database": repr(ports.database.engine.url)}
        tell(as_json(ready) if output is Output.JSON else f"releaser works (database: {ready['database']})")
        while not stop.wait(1.0):
            pass
        worker.stop()
