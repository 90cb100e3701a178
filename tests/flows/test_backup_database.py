from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from releaser.domain.declaration import Declaration, DeclaredCustomer, DeclaredHost
from releaser.errors import RefusedError
from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.backup_database import BackupPlaceError, backup_database
from releaser.flows.export_declaration import export_declaration
from releaser.flows.ports import Facts, Ports
from releaser.flows.restore_database import Over, RestoreRefusedError, restore_database
from releaser.flows.verify_backup import verify_backup
from releaser.sources.declaration import read_declaration
from releaser.store.archive import BackupExistsError, BackupFailedError, BackupNotFoundError, DamagedBackupError
from releaser.store.in_use import DatabaseInUseError, alone, in_use
from releaser.store.installations import Host
from releaser.store.session import Database
from releaser.store.upgrade import NewerSchemaError, schema_number
from tests import needs
from tests.fakes.bare_ports import bare_ports
from tests.fakes.clock import FakeClock
from tests.fakes.postgres import PrivatePostgres

EXAMPLE = read_declaration(Path(__file__).parents[2] / "deploy" / "example.yaml")


@pytest.fixture
def ports(database: Database, tmp_path: Path) -> Ports:
    made = bare_ports(database, tmp_path)
    apply_declaration(made, declaration=EXAMPLE, dry_run=False, prune=False, by="tester")
    return made


@pytest.fixture
def backup(ports: Ports, tmp_path: Path) -> Path:
    backup_database(ports, to=tmp_path / "backup.zip")
    return tmp_path / "backup.zip"


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def sqlite_backup(sqlite: Database, tmp_path: Path) -> Path:
    made = bare_ports(sqlite, tmp_path)
    apply_declaration(made, declaration=EXAMPLE, dry_run=False, prune=False, by="tester")
    backup_database(made, to=tmp_path / "backup.zip")
    return tmp_path / "backup.zip"


def restore(database: Database, file: Path, *, over: Over = Over.ANYTHING) -> Facts:
    return restore_database(database, file=file, over=over, clock=FakeClock())


def rewritten(backup: Path, **changes: Any) -> Path:  # noqa: ANN401 -- fields of the manifest
    """The backup with another manifest."""
    with zipfile.ZipFile(backup) as archive:
        manifest = json.loads(archive.read("manifest.json")) | changes
        copied = archive.read(archive.namelist()[1])
    other = backup.with_name("other.zip")
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("database.sqlite3", copied)
    return other


def test_backup_tells_what_it_holds_and_is_for_the_owner_only(ports: Ports, tmp_path: Path) -> None:
    facts = backup_database(ports, to=tmp_path)
    file = tmp_path / "releaser-20260302T090000Z.zip"
    assert facts["backup"] == str(file)
    assert (facts["counts"]["products"], facts["counts"]["targets"], facts["made_at"]) == (1, 3, ports.clock.now())
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir() if "backup" in path.name or "partial" in path.name) == []


def test_sound_backup_is_verified(backup: Path, database: Database) -> None:
    facts = verify_backup(file=backup)
    assert (facts["ok"], facts["schema"]) == (True, schema_number(database))


def test_backup_restores_to_the_same_state(ports: Ports, backup: Path) -> None:
    before = export_declaration(ports)
    apply_declaration(ports, declaration=Declaration(), dry_run=False, prune=True, by="tester")
    ports.database.close()
    restore(ports.database, backup)
    assert export_declaration(ports) == before


def test_backup_writes_over_nothing_and_into_no_missing_folder(ports: Ports, backup: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupExistsError):
        backup_database(ports, to=backup)
    with pytest.raises(BackupPlaceError):
        backup_database(ports, to=tmp_path / "none" / "backup.zip")


def test_database_that_is_there_is_replaced_by_force_only(ports: Ports, backup: Path) -> None:
    ports.database.close()
    with pytest.raises(RestoreRefusedError) as refused:
        restore(ports.database, backup, over=Over.NOTHING)
    assert refused.value.rule == "database-exists"
    assert "--force" in refused.value.advice


def test_restore_under_a_running_service_is_refused(ports: Ports, backup: Path, database_url: str) -> None:
    service = Database(database_url)
    with in_use(service), service.reading() as session:
        session.execute(text("SELECT 1"))
        ports.database.close()
        with pytest.raises(DatabaseInUseError, match="in use") as refused:
            restore(ports.database, backup)
    assert refused.value.rule == "database-in-use"
    service.close()
    restore(ports.database, backup)


def test_backup_is_as_of_one_moment_while_others_write(ports: Ports, tmp_path: Path) -> None:
    """Every transaction adds two hosts, so no backup may hold one of a pair."""
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            with ports.database.transaction() as session:
                session.add_all([Host(name=f"a{number}", address=""), Host(name=f"b{number}", address="")])
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(4):
            facts = backup_database(ports, to=tmp_path / f"{number}.zip")
            if ports.database.is_sqlite:
                assert facts["counts"]["hosts"] % 2 == 0
    finally:
        done.set()
        writer.join()
    assert verify_backup(file=tmp_path / "3.zip")["ok"]


# SQLite alone.


def test_restore_to_an_empty_place_makes_the_database(sqlite_backup: Path, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new' / 'store.db'}")
    assert restore(database, sqlite_backup, over=Over.NOTHING)["replaced"] is None
    with database.reading() as session:
        assert len(session.scalars(select(Host)).all()) == 2
    database.close()


def test_replaced_database_stays_beside_the_restored_one(sqlite: Database, sqlite_backup: Path) -> None:
    ports = bare_ports(sqlite, sqlite_backup.parent)
    host = DeclaredHost(name="later", address="unix:///later")
    apply_declaration(ports, declaration=Declaration(hosts=(host,)), dry_run=False, prune=False, by="tester")
    sqlite.close()
    replaced = restore(sqlite, sqlite_backup)["replaced"]
    with sqlite.reading() as session:
        assert "later" not in session.scalars(select(Host.name)).all()
    with closing(sqlite3.connect(replaced)) as old:
        assert old.execute("SELECT count(*) FROM hosts WHERE name = 'later'").fetchone() == (1,)


def test_damaged_database_can_be_replaced(sqlite: Database, sqlite_backup: Path) -> None:
    assert sqlite.file
    sqlite.close()
    sqlite.file.write_bytes(b"this was a database once" * 100)
    restore(sqlite, sqlite_backup)
    with sqlite.reading() as session:
        assert len(session.scalars(select(Host)).all()) == 2


def test_log_of_a_killed_service_is_not_read_into_the_restored_database(sqlite: Database, sqlite_backup: Path) -> None:
    assert sqlite.file
    program = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('PRAGMA journal_mode=WAL'); c.execute(\"INSERT INTO hosts (name, address, host_class) VALUES ('killed', '', '')\");"
        "os._exit(9)"
    )
    sqlite.close()
    subprocess.run([sys.executable, "-c", program, str(sqlite.file)], check=False)
    assert sqlite.file.with_name(f"{sqlite.file.name}-wal").stat().st_size > 0
    replaced = restore(sqlite, sqlite_backup)["replaced"]
    with sqlite.reading() as session:
        assert "killed" not in session.scalars(select(Host.name)).all()
    with closing(sqlite3.connect(replaced)) as old:
        assert old.execute("SELECT count(*) FROM hosts WHERE name = 'killed'").fetchone() == (1,)


def test_service_does_not_start_while_a_backup_is_restored(sqlite: Database) -> None:
    with alone(sqlite), pytest.raises(DatabaseInUseError, match="restored"), in_use(sqlite):
        pass
    with in_use(sqlite), in_use(sqlite):
        pass


def test_process_that_uses_the_database_is_named(sqlite: Database) -> None:
    with in_use(sqlite), pytest.raises(DatabaseInUseError, match=str(os.getpid())), alone(sqlite):
        pass


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sha256": "0" * 64}, "hash"),
        ({"size": 1}, "bytes"),
        ({"file": "../../etc/passwd"}, "no copy"),
        ({"file": None}, "no copy"),
        ({"counts": {"products": 7}}, "products"),
        ({"format": "other/1"}, "format"),
        ({"made_at": "soon"}, "manifest"),
        ({"counts": 7}, "form"),
    ],
)
def test_changed_backup_is_refused_and_the_database_stays(
    sqlite: Database, sqlite_backup: Path, changes: dict[str, Any], told: str
) -> None:
    other = rewritten(sqlite_backup, **changes)
    with pytest.raises(DamagedBackupError, match=told):
        verify_backup(file=other)
    sqlite.close()
    with pytest.raises(DamagedBackupError, match=told):
        restore(sqlite, other)
    with sqlite.reading() as session:
        assert len(session.scalars(select(Host)).all()) == 2
    assert not list(sqlite_backup.parent.glob(".*restoring"))


def test_backup_of_a_newer_program_is_refused(sqlite_backup: Path) -> None:
    with pytest.raises(NewerSchemaError, match="9999"):
        verify_backup(file=rewritten(sqlite_backup, schema="9999"))


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04" + b"\0" * 100])
def test_file_that_is_no_backup_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "backup.zip"
    file.write_bytes(content)
    with pytest.raises(DamagedBackupError):
        verify_backup(file=file)


def test_cut_off_backup_is_told(sqlite_backup: Path) -> None:
    sqlite_backup.write_bytes(sqlite_backup.read_bytes()[:-500])
    with pytest.raises(DamagedBackupError):
        verify_backup(file=sqlite_backup)


def test_bit_that_flipped_is_told(sqlite_backup: Path) -> None:
    content = bytearray(sqlite_backup.read_bytes())
    content[len(content) // 2] ^= 1
    sqlite_backup.write_bytes(content)
    with pytest.raises(DamagedBackupError):
        verify_backup(file=sqlite_backup)


def test_missing_backup_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackupNotFoundError):
        verify_backup(file=tmp_path / "none.zip")
    with pytest.raises(BackupNotFoundError):
        verify_backup(file=tmp_path)


def test_backup_on_a_full_disk_leaves_nothing(sqlite: Database, tmp_path: Path) -> None:
    needs.root(why="a full disk is made by mounting a small one")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(disk)], check=True)
    try:
        with pytest.raises(BackupFailedError, match="space"):
            backup_database(bare_ports(sqlite, tmp_path), to=disk / "backup.zip")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_backup_goes_to_a_database_of_its_kind_only(sqlite_backup: Path, postgres_url: str) -> None:
    database = Database(postgres_url)
    with pytest.raises(RefusedError, match="sqlite"):
        restore(database, sqlite_backup)
    database.close()


def test_empty_postgres_takes_a_backup_without_force(
    postgres: PrivatePostgres, postgres_url: str, tmp_path: Path
) -> None:
    database = Database(postgres_url)
    ports = bare_ports(database, tmp_path)
    customer = DeclaredCustomer(name="acme")
    apply_declaration(ports, declaration=Declaration(customers=(customer,)), dry_run=False, prune=False, by="tester")
    backup_database(ports, to=tmp_path / "backup.zip")
    database.close()
    name = postgres.create()
    fresh = Database(postgres.url(name))
    restore(fresh, tmp_path / "backup.zip", over=Over.NOTHING)
    assert export_declaration(bare_ports(fresh, tmp_path)) == {"customers": [{"name": "acme"}]}
    fresh.close()
    postgres.drop(name)
    shutil.rmtree(tmp_path, ignore_errors=True)
