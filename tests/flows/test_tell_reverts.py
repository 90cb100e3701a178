"""What shipped and was taken back is told to customers by the release that lacks it, and again by the one that has it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from releaser.domain.changelog import Audience, Form
from releaser.flows.render_changelog import render_changelog
from releaser.flows.set_embargo import set_embargo
from releaser.flows.show_release import show_release
from releaser.flows.write_note import write_note
from releaser.store import overview, products, releases
from tests.fakes.release_world import IMAGE, ReleaseWorld


def notes_of(world: ReleaseWorld, version: str, audience: Audience = Audience.CUSTOMER) -> dict[tuple[str, str], str]:
    facts = show_release(world.ports, product="shop", version=version, audience=audience)
    return {(one["ticket"], one["language"]): one["text"] for one in facts["notes"]}


def test_fix_that_was_taken_back_and_brought_back_is_told_each_time(tmp_path: Path) -> None:
    world = ReleaseWorld(tmp_path / "world")
    world.registry.push(IMAGE.replace("{version}", "1.3"))
    fix = world.land("SHOP-9 nine")
    world.cut()
    world.publish("1.1")
    write_note(
        world.ports,
        product="shop",
        version="1.1",
        ticket="SHOP-9",
        language="en",
        text="Nine works",
        reason="better",
        by="ann",
    )
    back = world.land(f'Revert "SHOP-9 nine"\n\nThis reverts commit {fix}.')
    world.land("SHOP-10 ten")
    world.cut(override="known")
    assert notes_of(world, "1.2")["SHOP-9", "en"] == "Reverted: nine", "customers must be told before it is published"
    world.publish("1.2")
    world.land(f'Revert "Revert "SHOP-9 nine""\n\nThis reverts commit {back}.')
    world.cut()
    world.publish("1.3")
    world.collect()
    assert notes_of(world, "1.2")["SHOP-9", "ru"] == "Отменено: nine"
    assert notes_of(world, "1.3")["SHOP-9", "ru"] == "Снова: nine"
    for version, line in (("1.2", "Reverted: nine (SHOP-9"), ("1.3", "Again: nine (SHOP-9")):
        assert line in render_changelog(world.ports, product="shop", version=version, form=Form.TEXT)
    with world.database.reading() as session:
        product = products.get(session, "shop")
        taken = {
            version: {
                one["key"]: one["reverted"]
                for one in overview.tickets_of(session, releases.get(session, product, version))
            }
            for version in ("1.2", "1.3")
        }
    assert taken == {"1.2": {"SHOP-9": True, "SHOP-10": False}, "1.3": {"SHOP-9": False}}
    until = world.clock.now() + timedelta(days=1)
    set_embargo(world.ports, product="shop", ticket="SHOP-9", until=until, by="ann")
    assert not [key for key in notes_of(world, "1.2") if key[0] == "SHOP-9"], "an embargo holds for what takes it back"
    assert "nine" not in render_changelog(world.ports, product="shop", version="1.2", form=Form.TEXT)
    world.close()
