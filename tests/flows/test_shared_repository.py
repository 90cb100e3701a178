"""Two products in one repository: tags with a prefix each, and only the commits that touch a product's paths are its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.changelog import Form
from releaser.domain.changelog.keeping import ChangelogKeeping
from releaser.domain.release import CutKind
from releaser.domain.train import TrainRules
from releaser.errors import RefusedError
from releaser.flows.check_gate import check_gate
from releaser.flows.collect_commits import collect_commits
from releaser.flows.cut_release import cut_release
from releaser.flows.freeze_state import freeze_state
from releaser.flows.promote_release import promote_release
from releaser.flows.publish_release import publish_release
from releaser.flows.render_changelog import render_changelog
from releaser.flows.show_notes import show_notes
from releaser.flows.show_ticket import show_ticket
from releaser.store import products
from releaser.store.plain import dump
from releaser.store.products import Product
from tests.fakes.release_world import ReleaseWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReleaseWorld]:
    """`app` is in `services/app` with tags `app/v1.0`, `lib` in `libs/lib` with tags `lib-1.0`; both have a 1.0."""
    world = ReleaseWorld(tmp_path)
    remote = world.remote
    remote.land("Begin both", {"services/app/a": "1", "libs/lib/l": "1", "README.md": "Two"})
    for tag in ("app/v1.0", "lib-1.0"):
        remote.tag(tag, remote.git("rev-parse", "main"), annotated=True)
    with world.database.transaction() as session:
        for name, paths, tags in (
            ("app", ["services/app", "shared"], "app/v{version}"),
            ("lib", ["libs/lib", "shared"], "lib-{version}"),
        ):
            keeping = ChangelogKeeping(file=f"{paths[0]}/CHANGELOG.md", folder="", commit=True)
            session.add(
                Product(
                    name=name,
                    repository=str(remote.folder),
                    tag_format=tags,
                    line_branch=name + "-{line}",
                    paths=paths,
                    changelog=dump(keeping),
                    ticket_patterns=["SHOP-[0-9]+"],
                    created_at=world.clock.now(),
                    modules=[],
                )
            )
    yield world
    world.close()


def released(world: ReleaseWorld, product: str, kind: CutKind = CutKind.STABLE, **given: Any) -> dict[str, Any]:  # noqa: ANN401 -- options
    facts = cut_release(world.ports, product=product, kind=kind, line=None, by="ann", **given)
    promote_release(world.ports, product=product, version=facts["version"], by="ann")
    return publish_release(world.ports, product=product, version=facts["version"], by="ann")


def subjects(world: ReleaseWorld, product: str, version: str) -> list[str]:
    text = render_changelog(world.ports, product=product, version=version, form=Form.JSON)
    return [commit["subject"] for commit in json.loads(text)["releases"][0]["commits"]]


def test_each_product_tells_and_numbers_its_own(world: ReleaseWorld) -> None:
    remote = world.remote
    remote.land("SHOP-11: mend the app", {"services/app/a": "2"})
    remote.land("SHOP-12: mend the library", {"libs/lib/l": "2"})
    remote.land("SHOP-13: mend what both use", {"shared/s": "2"})
    remote.land("SHOP-14: read me", {"README.md": "Two products"})
    app, lib = released(world, "app"), released(world, "lib")
    assert (app["tag"], lib["tag"]) == ("app/v1.1", "lib-1.1")
    assert subjects(world, "app", "1.1") == ["SHOP-13: mend what both use", "SHOP-11: mend the app"]
    assert subjects(world, "lib", "1.1") == ["SHOP-13: mend what both use", "SHOP-12: mend the library"]
    told = {note["ticket"] for note in show_notes(world.ports, product="app", version="1.1")}
    assert told == {"SHOP-11", "SHOP-13"}
    assert [one["version"] for one in show_ticket(world.ports, key="SHOP-13", product="app")["releases"]] == ["1.1"]
    assert "SHOP-12" in (remote.read("main", "libs/lib/CHANGELOG.md") or "")
    assert "SHOP-12" not in (remote.read("main", "services/app/CHANGELOG.md") or "")
    # The other's tags are no releases of this one, and its changelog is none of this one's commits.
    remote.land("SHOP-15: more of the app", {"services/app/a": "3"})
    released(world, "app")
    assert subjects(world, "app", "1.2") == ["SHOP-15: more of the app", "docs(changelog): app 1.1"]


def frozen_for(world: ReleaseWorld, product: str) -> None:
    """The product's first train leaves on Tuesday 10 March, and it is after the freeze of Friday noon."""
    collect_commits(world.ports, product=product)
    with world.database.transaction() as session:
        row = products.get(session, product)
        row.first_train_on, row.trains = date(2026, 3, 10), dump(TrainRules(freeze_days=2))
    world.clock.set(datetime(2026, 3, 6, 13, tzinfo=UTC))


def test_cut_of_nothing_but_others_commits_and_its_own_changelog_is_refused(world: ReleaseWorld) -> None:
    world.remote.land("SHOP-11: mend the app", {"services/app/a": "2"})
    released(world, "app")
    world.remote.land("SHOP-12: mend the library", {"libs/lib/l": "2"})
    with pytest.raises(RefusedError, match=r"nothing new since 1\.1: no commit since is the product's own") as caught:
        cut_release(world.ports, product="app", kind=CutKind.STABLE, line=None, by="ann")
    assert caught.value.rule == "nothing-new"
    assert check_gate(world.ports, product="app", kind=CutKind.STABLE, line=None)["commits"] == 0
    world.remote.land("SHOP-15: more of the app", {"services/app/a": "3"})
    collect_commits(world.ports, product="app")
    assert check_gate(world.ports, product="app", kind=CutKind.STABLE, line=None)["commits"] == 1


def test_freeze_does_not_count_others_commits_nor_the_changelogs_own(world: ReleaseWorld) -> None:
    frozen_for(world, "app")
    world.remote.land("Mend the library, of no ticket", {"libs/lib/l": "2"})
    world.remote.land("docs(changelog): app 1.0.1", {"services/app/CHANGELOG.md": "1.0.1"})
    world.remote.land("Mend the app, of no ticket", {"services/app/a": "2"})
    collect_commits(world.ports, product="app")
    found = freeze_state(world.ports, product="app")["violations"]
    assert [one["subject"] for one in found] == ["Mend the app, of no ticket"]


def test_paths_that_change_have_the_history_told_anew(world: ReleaseWorld) -> None:
    remote = world.remote
    remote.land("SHOP-12: mend the library", {"libs/lib/l": "2"})
    remote.tag("app/v1.1", remote.git("rev-parse", "main"), annotated=True)
    collect_commits(world.ports, product="app")
    assert subjects(world, "app", "1.1") == []
    assert collect_commits(world.ports, product="app")["unchanged"] is True
    with world.database.transaction() as session:
        products.get(session, "app").paths = []
    assert collect_commits(world.ports, product="app")["unchanged"] is False
    assert subjects(world, "app", "1.1") == ["SHOP-12: mend the library"]
