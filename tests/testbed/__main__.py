"""The test bed by hand.

    python -m tests.testbed up [N]              N hosts (3) until Ctrl-C, with their addresses; `make testbed N=3` is the same
    python -m tests.testbed down                remove it, from elsewhere or after a crash
    python -m tests.testbed status              who is on, and in what state its engine is
    python -m tests.testbed cut|mend HOST       pull the cable out, put it back
    python -m tests.testbed freeze|thaw HOST    let the engine (or `registry`) hang, let it go on
    python -m tests.testbed kill|start HOST     kill the engine (or `registry`), start it again
    python -m tests.testbed poweroff|boot HOST  switch the host off, on
    python -m tests.testbed run HOST COMMAND…   run a command on the host
    python -m tests.testbed load FILE [HOST…]   load images, as `docker save` writes them
    python -m tests.testbed samples             push the demonstration's versions into the registry as `shop`
    python -m tests.testbed swarm|unswarm       join all hosts to one swarm, take them out of it

The option `--name NAME`, first, tells several beds apart.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from releaser.demo.images import SHOP, publish
from tests.testbed.bed import Bed, down
from tests.testbed.host import Host
from tests.testbed.namespaces import BedError

DEFAULT_NAME = "byhand"
DONE_TO: dict[str, Callable[[Host], None]] = {
    "cut": Host.cut,
    "mend": Host.mend,
    "freeze": Host.freeze,
    "thaw": Host.thaw,
    "kill": Host.kill,
    "start": Host.start,
    "poweroff": Host.poweroff,
    "boot": Host.repair,
}


def main(words: Sequence[str]) -> int:
    """Run one command; its exit status."""
    name = DEFAULT_NAME
    if words[:1] == ["--name"] and len(words) > 1:
        name, words = words[1], words[2:]
    match list(words):
        case ["up", *count] if len(count) <= 1:
            _up(name, int(count[0]) if count else 3)
        case ["down"]:
            down(name)
        case [verb, *rest]:
            return _attached(Bed.attached(name), verb, rest)
        case _:
            return _usage()
    return 0


def _attached(bed: Bed, verb: str, rest: Sequence[str]) -> int:
    match [verb, *rest]:
        case ["status"]:
            _say(_status(bed))
        case ["kill" | "freeze" | "thaw" | "start", "registry"]:
            getattr(bed.registry_there(), verb)()
        case [_, host] if verb in DONE_TO:
            DONE_TO[verb](bed.host(host))
        case ["run", host, *command] if command:
            _say(bed.host(host).run(*command).rstrip())
        case ["load", file, *hosts]:
            bed.load(Path(file).read_bytes(), *map(bed.host, hosts))
        case ["samples"]:
            image = f"{bed.registry.address}/shop"
            for version, digest in publish(bed.known()[0].address, SHOP, repository=image).items():
                _say(f"{image}:{version}  {digest}")
        case ["swarm"]:
            _say(bed.swarm(*bed.known()))
        case ["unswarm"]:
            bed.unswarm(*bed.known())
        case _:
            return _usage()
    return 0


def _up(name: str, count: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), Bed(name) as bed:
        bed.hosts(count)
        _say(f"registry  {bed.registry.address}  (without TLS: RELEASER_PLAIN_REGISTRIES={bed.registry.address})")
        _say(_status(bed))
        _say(
            f"\nDo things to it from another terminal: python -m tests.testbed {_named(name)}cut h1. Ctrl-C removes it."
        )
        bed.wait()


def _status(bed: Bed) -> str:
    return "\n".join(f"{host.name:<8}  {host.state():<8}  {host.tcp}  {host.address}" for host in bed.known())


def _named(name: str) -> str:
    return "" if name == DEFAULT_NAME else f"--name {name} "


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _usage() -> int:
    sys.stderr.write(__doc__ or "")
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BedError, ValueError) as error:
        sys.exit(str(error))
