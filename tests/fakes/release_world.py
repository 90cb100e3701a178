"""A product with a real remote repository, a real database and a registry, ready to cut releases of."""

from __future__ import annotations

import atexit
import copy
import functools
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import update

from releaser.domain.release import CutKind
from releaser.flows.collect_commits import collect_commits
from releaser.flows.cut_release import cut_release
from releaser.flows.ports import Ports
from releaser.flows.promote_release import promote_release
from releaser.flows.publish_release import publish_release
from releaser.sources.git import GitRepositories
from releaser.sources.template import TemplateProcess
from releaser.store.products import Module, Product
from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.clock import FakeClock
from tests.fakes.deadly import Deadly
from tests.fakes.git_world import GitWorld
from tests.fakes.registry import FakeRegistry

IMAGE = "registry.example.com/shop:{version}"


class ReleaseWorld:
    """Product `shop`: 1.0 is tagged on `main`, then two fixes landed; line branches are called `line-X.Y`."""

    def __init__(self, folder: Path, *, url: str = "") -> None:
        first = _first()
        if not url:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(first.folder / "releaser.db", folder)
        shutil.copytree(first.remote.folder, folder / "remote.git")
        self._open(folder, first.remote.moved(folder / "remote.git"), copy.deepcopy(first.registry), url)
        self.main: str = first.main
        if url:
            metadata.create_all(self.database.engine)
            self._fill()
        else:
            self._repoint()

    @classmethod
    def made(cls, folder: Path) -> ReleaseWorld:
        """The world from which the others are copied, at rest: its two dozen git processes run once for a test run."""
        world = object.__new__(cls)
        world._open(folder, GitWorld(folder / "remote.git"), FakeRegistry(), "")
        metadata.create_all(world.database.engine)
        world._begin()
        world._fill()
        world.close()
        return world

    def copied(self, folder: Path) -> ReleaseWorld:
        """A world of its own in `folder` that is like this one, which has to be closed; much faster than making it again."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        other = object.__new__(ReleaseWorld)
        other._open(folder, self.remote.moved(folder / "remote.git"), self.registry, "")
        other.clock.set(self.clock.now())
        other.main = self.main
        other._repoint()
        return other

    def _repoint(self) -> None:
        with self.database.transaction() as session:
            session.execute(update(Product).values(repository=str(self.remote.folder)))

    def _open(self, folder: Path, remote: GitWorld, registry: FakeRegistry, url: str) -> None:
        self.folder = folder
        self.remote = remote
        self.registry = registry
        self.clock = FakeClock()
        self.deadly = Deadly(GitRepositories())
        self.database = Database(url or f"sqlite:///{folder / 'releaser.db'}")
        self.ports = Ports(
            database=self.database,
            clock=self.clock,
            repositories=self.deadly,
            registry=self.deadly.beside(self.registry),
            drivers={},
            channels={},
            home=folder / "home",
            address="https://releases.example.com",
            owner="test",
            wake=lambda: None,
            templates=TemplateProcess(),
        )

    def _begin(self) -> None:
        first = self.remote.commit("Begin", branch="main")
        self.main = self.remote.commit("SHOP-1: sell things", first, branch="main")
        self.remote.tag("v1.0", self.main, annotated=True)
        self.remote.branch("line-1.0", self.main)
        self.land("SHOP-2: basket loses items\n\nRelease-note-ru: Корзина больше не теряет товары.")
        self.land("feat: search by colour\n\nRefs: SHOP-3")
        for version in ("1.1", "1.0.1", "1.2", "1.1.1"):
            self.registry.push(IMAGE.replace("{version}", version))

    def _fill(self) -> None:
        with self.database.transaction() as session:
            product = Product(
                name="shop",
                title="The Shop",
                repository=str(self.remote.folder),
                line_branch="line-{line}",
                ticket_patterns=["SHOP-[0-9]+"],
                created_at=self.clock.now(),
            )
            product.modules = [Module(name="web", image=IMAGE), Module(name="tools", image="")]
            session.add(product)

    def land(self, message: str, *, branch: str = "main") -> str:
        """Push a commit to a branch."""
        tip = self.remote.git("rev-parse", f"refs/heads/{branch}")
        return self.remote.commit(message, tip, branch=branch, tree=self.remote.git("rev-parse", f"{tip}^{{tree}}"))

    def cut(
        self, kind: CutKind = CutKind.STABLE, *, line: str | None = None, by: str = "ann", override: str = ""
    ) -> dict[str, Any]:
        return cut_release(self.ports, product="shop", kind=kind, line=line, by=by, override=override)

    def publish(self, version: str) -> dict[str, Any]:
        """Promote and publish."""
        promote_release(self.ports, product="shop", version=version, by="ann")
        return publish_release(self.ports, product="shop", version=version, by="ann")

    def collect(self) -> None:
        collect_commits(self.ports, product="shop")

    def tags(self) -> list[str]:
        """The remote's tags."""
        return self.remote.git("tag", "--list").split()

    def with_owner(self, owner: str) -> Ports:
        """The same world seen by another process."""
        return replace(self.ports, owner=owner)

    def close(self) -> None:
        self.database.close()


@functools.cache
def _first() -> ReleaseWorld:
    folder = tempfile.mkdtemp(prefix="releaser-world-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return ReleaseWorld.made(Path(folder))
