"""The peers' ways of replacing containers, as their documentation describes them, by the same engine's API: only the order of steps is theirs.

- bare: create, start, stop and remove, one after the other: what any way costs at least.
- docker-rollout: twice as many containers at once, wait, then stop the old ones, one after the other; the proxy finds them by their state.
- compose, recreate: stop, remove, create, start, one container after the other; nothing is told to the proxy beforehand.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.benchmarks.rollout_world import GRACE_S, Bench

HEALTH_EVERY_S = 1.0
"""How often docker-rollout and compose look whether a container is healthy, and a proxy whether a server is there."""
Way = Callable[[Bench, list[str]], list[str]]


def install(bench: Bench, count: int, version: str = "1.0") -> list[str]:
    """Containers in front, as every way begins; their ids."""
    engine = bench.engine()
    made = []
    for number in range(count):
        container_id = bench.create(engine, f"measured-{number}", version)
        engine.start(container_id)
        address = bench.address_of(engine, container_id)
        bench.await_ready(address)
        bench.front.put(f"measured-{number}", address)
        made.append(container_id)
    engine.close()
    return made


def unserved(bench: Bench, count: int) -> list[str]:
    """Containers that run and that nobody asks; their ids."""
    engine = bench.engine()
    made = [bench.create(engine, f"measured-old-{number}", "1.0") for number in range(count)]
    for container_id in made:
        engine.start(container_id)
    engine.close()
    return made


def bare(bench: Bench, old: list[str]) -> list[str]:
    """No health, no proxy, nobody served meanwhile: the engine's own time."""
    engine = bench.engine()
    made = []
    for number, former in enumerate(old):
        made.append(bench.create(engine, f"measured-new-{number}", "1.1"))
        engine.start(made[-1])
        engine.stop(former, grace_s=GRACE_S)
        engine.remove(former, volumes=True)
    engine.close()
    return made


def docker_rollout(bench: Bench, old: list[str]) -> list[str]:
    """Scale to twice as many, wait until all are healthy, then stop and remove the old ones; the proxy learns of it by itself."""
    engine = bench.engine()
    made = []
    for number in range(len(old)):
        made.append(bench.create(engine, f"measured-new-{number}", "1.1"))
        engine.start(made[-1])
    for container_id in made:
        bench.await_ready(bench.address_of(engine, container_id))
    time.sleep(HEALTH_EVERY_S)
    for number, container_id in enumerate(made):
        bench.front.put(f"measured-new-{number}", bench.address_of(engine, container_id))
    for former in old:
        engine.stop(former, grace_s=GRACE_S)
        engine.remove(former, volumes=True)
    for number in range(len(old)):
        bench.front.remove(f"measured-{number}")
    engine.close()
    return made


def compose_recreate(bench: Bench, old: list[str]) -> list[str]:
    """Each is stopped and removed before its successor is made; the proxy hands requests to whoever answers."""
    engine = bench.engine()
    made = []
    for number, former in enumerate(old):
        engine.stop(former, grace_s=GRACE_S)
        engine.remove(former, volumes=True)
        made.append(bench.create(engine, f"measured-new-{number}", "1.1"))
        engine.start(made[-1])
        bench.front.put(f"measured-{number}", bench.address_of(engine, made[-1]))
    engine.close()
    return made
