from __future__ import annotations

from pathlib import Path

import pytest

from releaser.assembly import HomeError, assembled, configured, probes, unprepared
from releaser.settings import Settings
from releaser.store.in_use import DatabaseInUseError, alone
from releaser.store.migrations import numbers
from releaser.store.upgrade import schema_number


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return configured(home=tmp_path / "home")


def test_first_start_makes_home_and_schema(settings: Settings) -> None:
    with assembled(settings) as ports:
        assert schema_number(ports.database) == numbers()[-1]
        assert ports.home == settings.home.absolute()


def test_database_is_held_while_it_is_worked_with(settings: Settings) -> None:
    with assembled(settings) as ports:
        with pytest.raises(DatabaseInUseError), alone(ports.database):
            pass
        with assembled(settings):
            pass
    with unprepared(settings) as ports, alone(ports.database):
        pass


def test_unprepared_database_is_left_as_it_is(settings: Settings) -> None:
    with unprepared(settings) as ports:
        assert schema_number(ports.database) is None


def test_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(HomeError, match="cannot be made") as failed,
        assembled(configured(home=tmp_path / "file" / "x")),
    ):
        pass
    assert failed.value.field == "RELEASER_HOME"


def test_probes_are_of_what_is_set(settings: Settings) -> None:
    assert set(probes(settings)) == {"git"}
    mailing = configured(home=settings.home, smtp_url="smtp://127.0.0.1:1", mail_from="releases@example.com")
    assert set(probes(mailing)) == {"git", "mail"}
    assert probes(settings)["git"]().startswith("git version")
