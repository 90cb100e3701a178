"""Nothing that is expected to go wrong ends in a traceback: one line on standard error, and the exit code of its family."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM, Cli, Ran
from tests.fakes.git_world import GitWorld


def one_line(ran: Ran) -> str:
    assert "Traceback" not in ran.err
    assert len(ran.err.splitlines()) == 1, ran.err
    assert ran.err.startswith("releaser: ")
    return ran.err


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedOut:
    """A writer that waits for a turn it does not get, over a home whose database somebody else holds."""

    cli: Cli
    writer: subprocess.Popen[str]


@pytest.fixture(scope="module", autouse=True)
def locked_out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LockedOut]:
    """Begun before the other tests here, because it waits for ten seconds."""
    cli = Cli(home=tmp_path_factory.mktemp("locked") / "home")
    cli.facts("customer", "add", "acme")
    with contextlib.closing(sqlite3.connect(cli.home / "releaser.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with cli.started("customer", "add", "globex") as writer:
            yield LockedOut(cli=cli, writer=writer)


def test_wrong_name_of_a_command_is_answered_with_the_nearest(cli: Cli) -> None:
    for words, near in ((("depoly",), "'deploy'"), (("ticket", "shwo"), "'show'"), (("zzz",), "There are: ")):
        ran = cli(*words)
        assert ran.code == 2
        assert near in one_line(ran)


def test_wrong_options_are_told_with_the_help_to_read(cli: Cli) -> None:
    for words in (
        ("--nope",),
        ("plan",),
        ("rollout", "show", "x"),
        ("product", "add", "a", "--scheme", "x", "--repo", "y"),
    ):
        ran = cli(*words)
        assert ran.code == 2
        assert "--help`" in one_line(ran)
        assert cli(*words, "-o", "json").problem["type"] == "urn:releaser:problem:usage"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"RELEASER_PORT": "abc"}, 2),
        ({"RELEASER_LANGUAGE": "xx"}, 2),
        ({"RELEASER_DATABASE_URL": "mysql://nobody@127.0.0.1/none"}, 2),
        ({"RELEASER_DATABASE_URL": "no url"}, 2),
        ({"RELEASER_DATABASE_URL": "sqlite://"}, 2),
        ({"RELEASER_DATABASE_URL": "sqlite:////nowhere/at/all.db"}, 8),
        ({"RELEASER_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, 8),
        ({"RELEASER_HOME": "/dev/null/home"}, 8),
    ],
)
def test_wrong_settings_are_named(cli: Cli, settings: dict[str, str], code: int) -> None:
    ran = cli("product", "list", **settings)
    assert (ran.code, ran.out) == (code, "")
    one_line(ran)
    assert cli("product", "list", "-o", "json", **settings).problem["detail"]


def test_file_that_is_no_database_is_told(cli: Cli, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is no database, and longer than a header of one would be" * 40)
    ran = cli("product", "list", RELEASER_DATABASE_URL=f"sqlite:///{broken}")
    assert (ran.code, "no SQLite database" in one_line(ran)) == (8, True)


def test_disk_that_is_full_is_told_and_nothing_is_lost(cli: Cli) -> None:
    assert cli("customer", "add", "acme").code == 0
    size = (cli.home / "releaser.db").stat().st_size

    def small() -> None:
        # What writes beyond this gets an error and not the signal.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    done = subprocess.run(
        [PROGRAM, "apply", "-f", "-"],
        input="customers:\n" + "".join(f"  - {{name: c{n}, title: '{'x' * 190}'}}\n" for n in range(3000)),
        env=cli.environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=small,
        timeout=60,
    )
    assert done.returncode == 8, done
    assert "disk" in one_line(Ran(code=done.returncode, out=done.stdout, err=done.stderr))
    assert [one["name"] for one in cli.facts("customer", "list")] == ["acme"]


def test_reader_that_goes_away_is_no_error(cli: Cli) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [PROGRAM, "product", "list"],
        env=cli.environment(),
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_output_that_cannot_be_written_ends_with_1(cli: Cli) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [PROGRAM, "product", "list"],
            env=cli.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left" in one_line(Ran(code=1, out="", err=done.stderr))


def test_letters_that_the_terminal_has_not_are_told_by_their_numbers(cli: Cli) -> None:
    cli.facts("customer", "add", "acme", "--title", "Северный порт")
    ran = cli.apart("customer", "list", PYTHONIOENCODING="ascii:strict")
    assert (ran.code, ran.err) == (0, "")
    assert "\\u0421" in ran.out


def test_text_of_people_cannot_steer_the_terminal(cli: Cli, tmp_path: Path) -> None:
    hostile = "x\u202e\u200b\u2028y"
    cli.facts("product", "add", "shop", "--repo", str(GitWorld(tmp_path / "shop.git").folder), "--title", hostile)
    for words in (("product", "list"), ("product", "show", "shop"), ("product", "list", "-o", "json")):
        out = cli(*words).out
        assert not set(out) & set("\x1b\x07\u202e\u200b\u2028")
    assert cli.facts("product", "list")[0]["title"] == hostile
    ran = cli("product", "show", "\x1b[2J\u202enope")
    assert (ran.code, "\x1b" in ran.err, "\u202e" in ran.err) == (2, False, False)


@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_signal_ends_a_command_in_order(cli: Cli, number: signal.Signals, code: int, said: str) -> None:
    cli.facts("product", "list")
    # The command waits for its turn to write when the signal comes.
    locker = sqlite3.connect(cli.home / "releaser.db", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    process = cli.started("customer", "add", "acme")
    until = time.monotonic() + 20
    while "releaser.db" not in _open_files(process.pid):
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(number)
    locker.close()
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (code, f"releaser: {said}.\n")
    assert cli.facts("customer", "list") == []


def _open_files(pid: int) -> str:
    folder = Path(f"/proc/{pid}/fd")
    found = []
    for one in folder.iterdir():
        try:
            found.append(str(one.readlink()))
        except OSError:
            continue
    return " ".join(found)


def test_repositories_that_are_none_are_told(cli: Cli, tmp_path: Path) -> None:
    for repo in (str(tmp_path), "/nowhere/at/all.git", f"ext::sh -c 'touch {tmp_path}/evil'"):
        ran = cli("product", "add", "none", "--repo", repo)
        assert ran.code == 2, ran
        one_line(ran)
    assert not (tmp_path / "evil").exists()
    for name, code in (("empty", 8), ("gone", 2)):
        world = GitWorld(tmp_path / f"{name}.git")
        cli.facts("product", "add", name, "--repo", str(world.folder))
        if name == "gone":
            shutil.rmtree(world.folder)
        ran = cli("collect", name)
        assert ran.code == code, ran
        one_line(ran)


def test_database_that_is_locked_is_told_to_the_writer_and_does_not_hold_up_readers(locked_out: LockedOut) -> None:
    assert [one["name"] for one in locked_out.cli.facts("customer", "list")] == ["acme"]
    out, err = locked_out.writer.communicate(timeout=40)
    assert (locked_out.writer.returncode, out) == (8, "")
    assert "locked" in one_line(Ran(code=8, out=out, err=err))
