"""Looks whether everything the service needs is there (`releaser doctor`): all at once, each for a bounded time.

A check that fails is a fact, not an error. What hangs is left behind after its time; nothing waits for it.
"""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from datetime import timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from sqlalchemy import func, select

from releaser.domain.calendar import zone_named
from releaser.domain.rollout import UNDER_WAY
from releaser.domain.target import DriverName
from releaser.errors import OutsideError, ReleaserError
from releaser.flows.ports import Facts, Ports
from releaser.sources.source import ImageNotFoundError
from releaser.store import alarms, installations, products, releases, rollout_work, workers
from releaser.store.installations import Host, Target
from releaser.store.migrations import numbers
from releaser.store.moves import Move
from releaser.store.upgrade import require_writable, schema_number

Check = Callable[[], str]
"""One line about what was found good, and a second one of advice where that had better be changed; raises what is wrong."""

AT_ONCE = 16
_LEAST_FREE = 500 * 1024 * 1024
_GRACE = timedelta(minutes=5)
_BY_SHELL = (DriverName.FILES, DriverName.COMPOSE)
_NAMED = (DriverName.COMPOSE, DriverName.SWARM)


class NotAsNeededError(OutsideError):
    """Something answers, but is not as the service needs it."""


def check_system(ports: Ports, *, probes: Mapping[str, Check], timeout_s: float = 10.0) -> list[Facts]:
    """Every check as `name`, `ok`, `detail`, `advice`, in a steady order. One that is ok and has advice is a warning.

    `probes` are looked at besides: what the ports do not reach (git, mail). A check has `timeout_s`.
    """
    checks: dict[str, Check] = {
        "database": partial(_database, ports),
        "clock": partial(_clock, ports),
        "engine": partial(_engine, ports),
        "time zones": _zones,
        "disk": partial(_disk, ports),
        **probes,
    }
    facts = _carried_out(checks, timeout_s)
    if facts[0]["ok"]:
        # What is outside is named in the database.
        facts += _carried_out(dict(_outside(ports)), timeout_s)
    if "mail" not in probes:
        advice = "Set RELEASER_SMTP_URL to have notices sent."
        facts.append({"name": "mail", "ok": True, "detail": "No mail server is set.", "advice": advice})
    return facts


def _carried_out(checks: Mapping[str, Check], timeout_s: float) -> list[Facts]:
    """Run the checks side by side in threads that nobody has to wait for."""
    waiting: queue.SimpleQueue[tuple[Check, Future[str]]] = queue.SimpleQueue()
    futures: dict[str, Future[str]] = {}
    for name, check in checks.items():
        futures[name] = Future()
        waiting.put((check, futures[name]))
    for _ in range(min(AT_ONCE, len(checks))):
        threading.Thread(target=_work, args=(waiting,), name="check", daemon=True).start()
    rounds = -(-len(checks) // AT_ONCE)
    wait(futures.values(), timeout=timeout_s * rounds)
    return [_fact(name, future, timeout_s) for name, future in futures.items()]


def _work(waiting: queue.SimpleQueue[tuple[Check, Future[str]]]) -> None:
    while True:
        try:
            check, future = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            future.set_result(check())
        except ReleaserError as error:
            future.set_exception(error)
        except BaseException as error:
            future.set_exception(error)
            raise


def _fact(name: str, future: Future[str], timeout_s: float) -> Facts:
    if not future.done():
        return {
            "name": name,
            "ok": False,
            "detail": f"No answer within {timeout_s:g} seconds.",
            "advice": "Check that it runs and can be reached from here.",
        }
    error = future.exception()
    if error is None:
        detail, _, advice = future.result().partition("\n")
        return {"name": name, "ok": True, "detail": detail, "advice": advice}
    if not isinstance(error, ReleaserError):
        raise error
    return {"name": name, "ok": False, "detail": error.detail, "advice": error.advice}


def _database(ports: Ports) -> str:
    number = schema_number(ports.database)
    if number != numbers()[-1]:
        raise NotAsNeededError(
            f"The database has {f'schema {number}' if number else 'no tables yet'}; this program needs {numbers()[-1]}.",
            permanent=False,
            advice="Start the service once: it makes or steps up the schema.",
        )
    require_writable(ports.database)
    with ports.database.reading() as session:
        counts = [session.scalar(select(func.count()).select_from(kind)) for kind in (Host, Target)]
    kind = "SQLite" if ports.database.is_sqlite else "PostgreSQL"
    return f"{kind}, schema {number}, writable; {counts[0]} hosts, {counts[1]} targets"


def _engine(ports: Ports) -> str:
    """Rows wait for ever when nobody looks at them."""
    kind = "embedded" if ports.database.is_sqlite else "procrastinate"
    if schema_number(ports.database) is None:
        return f"{kind}; no worker has looked yet"
    now = ports.clock.now()
    with ports.database.reading() as session:
        found = workers.facts(session, now=now)
        waiting = len(rollout_work.in_states(session, *UNDER_WAY))
    if found["working"]:
        count = "1 worker looks" if found["working"] == 1 else f"{found['working']} workers look"
        return f"{kind}; {count}, the last {found['looked_s']:.0f} s ago"
    silent = "No worker looks" if found["looked_s"] is None else f"No worker has looked for {found['looked_s']:.0f} s"
    if found["looked_s"] is not None or waiting:
        waits = {0: "", 1: "; 1 rollout waits"}.get(waiting, f"; {waiting} rollouts wait")
        raise NotAsNeededError(
            f"{silent}{waits}.", permanent=False, advice="Start `releaser serve`, or `releaser worker`."
        )
    return f"{kind}; no worker looks, and no rollout waits"


def _clock(ports: Ports) -> str:
    """A clock that was put back would make what comes now older than what was."""
    now = ports.clock.now()
    with ports.database.reading() as session:
        last = session.scalar(select(func.max(Move.at))) if schema_number(ports.database) else None
    if last is not None and last > now + _GRACE:
        raise NotAsNeededError(
            f"It is {now:%Y-%m-%d %H:%M} UTC here, but something was recorded at {last:%Y-%m-%d %H:%M} UTC.",
            permanent=False,
            advice="Set the clock of this machine; have it kept by NTP.",
        )
    return f"{now:%Y-%m-%d %H:%M} UTC"


def _zones() -> str:
    zone_named("Europe/Moscow")
    try:
        return f"known (tzdata {version('tzdata')})"
    except PackageNotFoundError:
        return "known (of the system)"


def _disk(ports: Ports) -> str:
    try:
        free = shutil.disk_usage(ports.home).free
    except OSError as error:
        raise NotAsNeededError(f"'{ports.home}' cannot be read: {error.strerror}.", permanent=True) from error
    shown = f"{free / 2**30:.1f} GiB are free at {ports.home}"
    if free < _LEAST_FREE:
        raise NotAsNeededError(f"Only {shown}.", permanent=False, advice="Free space: the database grows there.")
    return shown


def _outside(ports: Ports) -> Iterator[tuple[str, Check]]:
    """A check of each engine and each registry that is named in the database, and of the tags that were read."""
    yield "tags", partial(_tags, ports)
    with ports.database.reading() as session:
        by_driver = {
            one: installations.hosts_of(session, one) for one in (*_BY_SHELL, DriverName.SWARM, DriverName.DOCKER)
        }
        hosts = [
            (host.name, host.address, driver)
            for host in installations.hosts(session)
            for driver in [one for one, ids in by_driver.items() if host.id in ids] or [_driver_of(host.address)]
        ]
        images: dict[str, str] = {}
        for product in products.everything(session):
            newest = releases.by_product(session, product.id, limit=1)
            for module in product.modules:
                reference = module.image.replace("{version}", newest[0].version if newest else "0")
                if module.image:
                    images.setdefault(module.image.partition("/")[0], reference)
    for name, address, driver in hosts:
        by_ssh = driver is DriverName.DOCKER and address.startswith("ssh:")
        shown = f"host {name} ({driver.value})" if driver in _NAMED or by_ssh else f"host {name}"
        yield shown, partial(ports.drivers[driver].check, address)
    for name, reference in images.items():
        yield f"registry {name}", partial(_registry, ports, reference)


def _driver_of(address: str) -> DriverName:
    """Who speaks with a host on which no target is declared yet."""
    return DriverName.FILES if address.startswith(("local:", "ssh:")) else DriverName.DOCKER


def _tags(ports: Ports) -> str:
    """Whether every tag is what it was when it was read first."""
    with ports.database.reading() as session:
        found = [(row.name, one) for row in products.everything(session) for one in alarms.standing(session, row.id)]
    if not found:
        return "every tag is what it was"
    released = sum(bool(one.version) for _, one in found)
    names = ", ".join(f"{one.tag} of {product}" for product, one in found[:3])
    raise NotAsNeededError(
        f"{len(found)} tags moved or vanished, {released} of them of releases: {names}{' …' if len(found) > 3 else ''}.",
        permanent=True,
        advice="Find out why with `releaser tag alarms`, then accept each with `releaser tag accept`.",
    )


def _registry(ports: Ports, reference: str) -> str:
    try:
        ports.registry.resolve(reference)
    except ImageNotFoundError:
        return f"answers; it does not have {reference}"
    return f"answers; it has {reference}"
