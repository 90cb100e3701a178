"""A cut is killed at any point, up to the publication and the withdrawal; the same command completes the same version.

First at every transaction, before it is begun and right after it is kept. Then real processes by SIGKILL at random moments, by
a seed that is printed (`KILL_SEED=…` has it again): whatever git they began goes on without them.
"""

from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from releaser.domain.release import CutKind
from releaser.domain.version import Scheme
from releaser.flows.abandon_release import abandon_release
from releaser.flows.cut_release import cut_release
from releaser.flows.cut_status import cut_status
from releaser.flows.promote_release import promote_release
from releaser.flows.publish_release import publish_release
from releaser.flows.yank_release import yank_release
from releaser.store import products, releases
from releaser.store.session import Database
from tests import sampled
from tests.cli.conftest import Cli
from tests.fakes.deadly import DeadlyDatabase, Killed
from tests.fakes.git_world import GitWorld
from tests.fakes.release_world import ReleaseWorld

MOST_KILLS = 60


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReleaseWorld]:
    world = ReleaseWorld(tmp_path)
    yield world
    world.close()


def carried_through(
    deadly: DeadlyDatabase, command: Callable[[], dict[str, Any]], reached: Callable[[], object]
) -> tuple[dict[str, Any], int]:
    """Repeat a command that dies at its next transaction, before it and then right after it, until it ends.

    Where that brings it no farther than was `reached` before, it dies one transaction later. Its facts, and how often it died.
    """
    deaths, nth = 0, 1
    while deaths < MOST_KILLS:
        before = reached()
        for after in (False, True):
            deadly.count, deadly.dies_at, deadly.after = 0, nth, after
            try:
                return command(), deaths
            except Killed:
                deaths += 1
        nth = 1 if reached() != before else nth + 1
    raise AssertionError(reached())


def test_killed_at_every_transaction_the_same_commands_lead_to_the_same_version(world: ReleaseWorld) -> None:
    deadly = DeadlyDatabase(world.database)
    ports = replace(world.ports, database=cast("Database", deadly))
    world.collect()
    commands: list[Callable[[], dict[str, Any]]] = [
        lambda: cut_release(ports, product="shop", kind=CutKind.STABLE, line=None, by="ann"),
        lambda: promote_release(ports, product="shop", version="1.1", by="ann"),
        lambda: publish_release(ports, product="shop", version="1.1", by="ann"),
        lambda: yank_release(ports, product="shop", version="1.1", reason="loses drafts", by="ann"),
    ]

    def reached() -> object:
        with world.database.reading() as session:
            rows = releases.by_product(session, products.get(session, "shop").id)
            return [(row.version, row.state, row.cut_step) for row in rows]

    ends = [carried_through(deadly, command, reached) for command in commands]
    assert [(facts["version"], facts["state"]) for facts, _ in ends] == [
        ("1.1", "candidate"),
        ("1.1", "promoted"),
        ("1.1", "published"),
        ("1.1", "yanked"),
    ]
    # Every durable step of the cut was survived twice: once undone, once done.
    assert ends[0][1] >= 2 * 6
    assert world.tags() == ["v1.0", "v1.1"]
    with world.database.reading() as session:
        rows = releases.by_product(session, products.get(session, "shop").id)
    assert [row.version for row in rows] == ["1.1", "1.0"]
    assert "[YANKED]" in (world.ports.home / "changelogs" / "shop" / "1.1.md").read_text()
    assert cut_status(world.ports, product="shop") == []


def killed_somewhere(cli: Cli, chance: random.Random, *words: str) -> int | None:
    """Run a command in a process of its own and kill that after a while; its exit code if it was quicker."""
    process = cli.started(*words)
    try:
        return process.wait(timeout=chance.uniform(0.3, 1.6))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return None
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def test_real_processes_killed_at_random_moments_make_one_release(tmp_path: Path) -> None:
    cli = Cli(home=tmp_path / "home")
    chance = sampled.chance()
    remote = GitWorld(tmp_path / "remote.git")
    first = remote.commit("SHOP-1: begin", branch="main")
    remote.tag("v1.0", first, annotated=True)
    remote.commit("SHOP-2: more", first, branch="main")
    assert cli("product", "add", "shop", "--repo", f"file://{remote.folder}").code == 0
    for _ in range(3):
        ended = killed_somewhere(cli, chance, "cut", "shop", "stable", "--by", "ann")
        assert ended in {None, 0}
    facts = cli.facts("cut", "shop", "stable", "--by", "ann")
    assert (facts["version"], facts["state"]) == ("1.1", "candidate")
    assert remote.git("tag", "--list").split() == ["v1.0", "v1.1"]
    assert remote.git("rev-parse", "v1.1^{commit}") == facts["commit"]
    assert [one["version"] for one in cli.facts("release", "list", "shop")] == ["1.1", "1.0"]
    assert cli.facts("promote", "shop", "1.1")["state"] == "promoted"


@pytest.mark.parametrize(
    ("scheme", "tags", "numbers"),
    [
        (Scheme.SEMVER, ["v1.9.0", "v2.0.0-rc.1", "v2.0.0-rc.2"], ["2.0.0", "2.1.0", "2.2.0", "2.0.1"]),
        (Scheme.PEP440, ["v1!1.0", "v1!1.1rc1"], ["1!1.1", "1!1.2", "1!1.3", "1!1.1.1"]),
    ],
)
def test_numbers_follow_the_scheme_and_a_burned_one_is_never_given_again(
    tmp_path: Path, scheme: Scheme, tags: list[str], numbers: list[str]
) -> None:
    """After tags made by hand, candidates among them: a stable, one that is burned, the one after it, and a patch of the first."""
    world = ReleaseWorld(tmp_path)
    world.remote.git("update-ref", "-d", "refs/tags/v1.0")
    for tag in tags:
        world.remote.tag(tag, world.main)
    with world.database.transaction() as session:
        product = products.get(session, "shop")
        product.scheme = scheme
        for module in product.modules:
            module.image = ""
    first, burned, following, patch = numbers
    assert world.cut()["version"] == first
    world.publish(first)
    world.land("SHOP-7: next")
    assert world.cut()["version"] == burned
    abandon_release(world.ports, product="shop", version=burned, reason="wrong branch", by="ann")
    assert world.cut()["version"] == following
    line = first.removesuffix(".0") if scheme is Scheme.SEMVER else first
    world.remote.branch(f"line-{line}", world.remote.git("rev-parse", f"v{first}^{{commit}}"))
    world.land("SHOP-7: next", branch=f"line-{line}")
    assert world.cut(CutKind.PATCH, line=line)["version"] == patch
    assert {f"v{burned}", f"v{following}", f"v{patch}"} <= set(world.tags())
    world.close()
