"""How a fixed port goes from one container to the next, where only one can hold it.

Overlapping: the new one is started again and again while the old one stops, so that it has the port at the first moment. This is
safe because the engine refuses to run it before the port is free. Swapping: the new one is warm already, on an internal network
where it publishes nothing; then the old one is taken off its networks and the new one is put on them.

What does not live here: the order of the steps (`steps`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from releaser.clock import Clock, SystemClock
from releaser.domain.spec import ContainerSpec
from releaser.targets.docker.client import Engine
from releaser.targets.docker.scene import Found
from releaser.targets.target import ContainerNotFoundError, PortTakenError

WARM: Final = "releaser-warm"
"""The internal network on which a container waits for its port."""
DEFAULT: Final = "bridge"
_TRIED_EVERY_S: Final = 0.01
_TRIED_FOR_S: Final = 3.0
_CLOCK: Final = SystemClock()


def same_fixed_port(spec: ContainerSpec, before: ContainerSpec | None) -> int:
    """A host port that both want, so that the engine lets only one of them run; 0 for none."""
    if before is None:
        return 0
    held = {(port.host_ip, port.host_port, port.protocol) for port in before.ports if port.host_port}
    wanted = [port for port in spec.ports if (port.host_ip, port.host_port, port.protocol) in held]
    return wanted[0].host_port if wanted else 0


def start_while(engine: Engine, new: Found, *, stop: Callable[[], str], clock: Clock = _CLOCK) -> str:
    """Stop the old one by `stop`, and start the new one as soon as the port is free. Raises what either raises."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        stopping = pool.submit(stop)
        ends: float | None = None
        while not new.is_up:
            try:
                engine.start(new.id)
                break
            except PortTakenError:
                if stopping.done():
                    stopping.result()
                    ends = ends if ends is not None else clock.monotonic() + _TRIED_FOR_S
                    if clock.monotonic() > ends:
                        raise
                clock.sleep(_TRIED_EVERY_S)
        return f"{stopping.result()}; started {new.name}"


def warm_up(engine: Engine, new: Found) -> str:
    """Started where it can be probed and publishes nothing."""
    if new.is_up:
        return f"{new.name} runs already"
    if engine.network(WARM) is None:
        engine.create_network(WARM, internal=True)
    for network in new.networks:
        if network != WARM:
            engine.disconnect(network, new.id)
    if WARM not in new.networks:
        engine.connect(WARM, new.id, {})
    engine.start(new.id)
    return f"started {new.name} on {WARM}"


def swap_in(engine: Engine, new: Found, old: Found | None, endpoints: Mapping[str, Mapping[str, object]]) -> str:
    """The old one off, the new one on; only what is missing is done."""
    if old is not None and not set(endpoints) <= set(new.networks):
        for network in old.networks:
            engine.disconnect(network, old.id)
    for network, endpoint in endpoints.items():
        if network not in new.networks:
            engine.connect(network, new.id, endpoint)
    if WARM in new.networks:
        engine.disconnect(WARM, new.id)
    return f"{new.name} is on {', '.join(endpoints)}"


def swap_out(engine: Engine, new: Found | None) -> None:
    """The port is free again for the old one."""
    for network in new.networks if new is not None else ():
        if network != WARM:
            with suppress(ContainerNotFoundError):
                engine.disconnect(network, new.id if new is not None else "")
