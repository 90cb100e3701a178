"""A product with a real repository and a history worth looking at: lines, picks, a revert, a withdrawn release, what people say."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import select

from releaser.domain.history import LineStatus
from releaser.domain.release import ReleaseState
from releaser.domain.version import VersionKind
from releaser.flows.add_ticket import add_ticket
from releaser.flows.collect_commits import collect_commits
from releaser.flows.override_status import override_status
from releaser.flows.ports import Ports
from releaser.flows.state_found_in import state_found_in
from releaser.flows.state_planned_for import state_planned_for
from releaser.sources.git import GitRepositories
from releaser.store import products
from releaser.store.products import Product
from releaser.store.releases import Release
from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.clock import FakeClock
from tests.fakes.git_world import GitWorld
from tests.fakes.registry import FakeRegistry

MONTH = timedelta(days=30)


class HistoryWorld:
    """Product `shop`, a month between commits, ending now.

    Lines 1.0 (1.0, 1.0.1 withdrawn), 1.1 (1.1, 1.1.1-rc.1, 1.1.1), 1.2 (1.2, unreleased work on its branch). SHOP-1 is fixed in
    1.1 and picked to 1.0.1; SHOP-2 is fixed in 1.1 and taken back in 1.2; SHOP-3 landed on 1.2's branch only; SHOP-4 is
    mentioned; SHOP-9 is requested, found in 1.1 and planned for 2.0. `hostile` stands in what people and commits say.
    """

    def __init__(self, folder: Path, *, hostile: str = "") -> None:
        self.folder, self.hostile = folder, hostile
        self.remote = GitWorld(folder / "remote.git")
        self.clock = FakeClock()
        self.database = Database(f"sqlite:///{folder / 'releaser.db'}")
        metadata.create_all(self.database.engine)
        self.ports = Ports(
            database=self.database,
            clock=self.clock,
            repositories=GitRepositories(),
            registry=FakeRegistry(),
            drivers={},
            channels={},
            home=folder / "home",
            address="http://127.0.0.1",
            owner="test",
            wake=lambda: None,
        )
        self.ids: dict[str, str] = {}
        self._commit_everything(hostile)
        self._collect(hostile)
        self._say(hostile)

    def commit(self, name: str, message: str, *parents: str, branch: str = "") -> str:
        """Commit a month after the one before."""
        self._month += 1
        at = round((self.clock.now() - MONTH * (9 - self._month)).timestamp())
        made = self.remote.commit(
            message, *(self.ids[one] for one in parents), committed=at, authored=at, branch=branch or None
        )
        self.ids[name] = made
        return made

    def _commit_everything(self, hostile: str) -> None:
        self._month = 0
        tag = self.remote.tag
        tag("v1.0", self.commit("base", f"Begin{hostile}", branch="main"))
        self.commit("fix", f"SHOP-1: keep the basket{hostile}", "base", branch="main")
        self.commit("search", f"Search by colour{hostile}\n\nFixes: SHOP-2", "fix", branch="main")
        tag("v1.1", self.ids["search"])
        picked = f"SHOP-1: keep the basket{hostile}\n\n(cherry picked from commit {self.ids['fix']})"
        tag("v1.0.1", self.commit("pick", picked, "base", branch="line-1.0"))
        tag("v1.1.1-rc.1", self.commit("patch", f"Tidy up\n\nSee SHOP-4{hostile}", "search", branch="line-1.1"))
        tag("v1.1.1", self.commit("patch2", "Tidy up again", "patch", branch="line-1.1"))
        undo = f'Revert "Search by colour"\n\nThis reverts commit {self.ids["search"]}.'
        tag("v1.2", self.commit("undo", undo, "search", branch="main"))
        self.commit("later", f"SHOP-3: pay later{hostile}", "undo", branch="line-1.2")
        self.commit("next", "Go on", "undo", branch="main")

    def _collect(self, hostile: str) -> None:
        with self.database.transaction() as session:
            session.add(
                Product(
                    name="shop",
                    title=f"The Shop{hostile}",
                    repository=str(self.remote.folder),
                    line_branch="line-{line}",
                    ticket_patterns=["SHOP-[0-9]+"],
                    created_at=self.clock.now(),
                )
            )
        collect_commits(self.ports, product="shop")
        with self.database.transaction() as session:
            withdrawn = session.scalars(select(Release).where(Release.version == "1.0.1")).one()
            withdrawn.state, withdrawn.yank_reason = ReleaseState.YANKED, f"It loses baskets.{hostile}"
            shop = products.get(session, "shop")
            line = products.line(session, shop.id, "1.1")
            assert line is not None
            line.supported_until_on = self.clock.now().date() + MONTH

    def _say(self, hostile: str) -> None:
        say = {"product": "shop", "by": f"olga{hostile}"[:200]}
        add_ticket(self.ports, key="SHOP-9", title=f"Basket shrinks{hostile}"[:400], **say)
        state_found_in(self.ports, key="SHOP-9", version="1.1", is_first=True, reason=f"Seen.{hostile}", **say)
        state_planned_for(self.ports, key="SHOP-9", version="2.0", **say)
        for line, status, reason in [
            ("1.1", LineStatus.AFFECTED, "It still shrinks."),
            ("1.0", LineStatus.VERIFIED, "Tried by hand."),
        ]:
            override_status(self.ports, key="SHOP-1", line=line, status=status, reason=reason + hostile, **say)

    def many_lines(self, count: int) -> None:
        """Add lines of one release each, a week apart, as a product has that releases its main branch."""
        now = self.clock.now()
        with self.database.transaction() as session:
            shop = products.get(session, "shop")
            for n in range(count):
                at = now - timedelta(days=7 * (count - n))
                session.add(
                    Release(
                        product_id=shop.id,
                        version=f"2.{n}",
                        version_key=f"2.{n}",
                        sort_key=100 + n,
                        line=f"2.{n}",
                        kind=VersionKind.STABLE,
                        state=ReleaseState.PUBLISHED,
                        imported=True,
                        tag=f"v2.{n}",
                        tagged_at=at,
                        published_at=at,
                    )
                )

    @property
    def today(self) -> date:
        return self.clock.now().date()

    def close(self) -> None:
        self.database.close()
