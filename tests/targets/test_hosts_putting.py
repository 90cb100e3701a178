"""Files put in place in a folder that others use as well: whose they are, and what a script that broke off leaves there."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from releaser.domain.spec import ConfigurationFile
from releaser.targets.files import scripts
from releaser.targets.files.scripts import Places

SECRET = "password = hidden\n"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The folder that several targets have their configuration in."""
    made = tmp_path / "etc"
    made.mkdir()
    return made


def placing(shared: Path, name: str, *, inside: Sequence[str] = ()) -> list[str]:
    """The script that puts `name.conf` there, of a target with a root of its own."""
    places = Places(root=str(shared.parent / name), tag="1-1")
    file = ConfigurationFile(path=f"{shared}/{name}.conf", content=f"{name}: {SECRET}", mode="0600")
    staged = Path(places.staged + file.path)
    staged.parent.mkdir(parents=True, exist_ok=True)
    staged.write_text(file.content)
    return [*scripts.fenced(places, 1, lock_wait_s=5), *inside, *scripts.place(places, [file], [], "{}")]


def run(lines: Sequence[str]) -> int:
    return subprocess.run(["sh", "-c", "\n".join(lines)], check=False, timeout=20).returncode


def test_files_of_two_targets_put_into_one_folder_at_once_are_each_their_own(shared: Path) -> None:
    other = shared.parent / "other.sh"
    other.write_text("\n".join(placing(shared, "globex")))
    # In the midst of the one, when its file is there and not yet in place, the other is placed from beginning to end.
    meanwhile = f'sync() {{ case $1 in {shared}/*) [ ! -e {other} ] || {{ sh {other} && rm {other}; }} ;; esac; command sync "$@"; }}'
    assert run(placing(shared, "acme", inside=[meanwhile])) == 0
    found = {one.name: one.read_text() for one in shared.iterdir()}
    assert found == {f"{name}.conf": f"{name}: {SECRET}" for name in ("acme", "globex")}
    assert not other.exists(), "the other one was placed"


def test_file_left_by_a_script_that_was_killed_is_cleared_up_by_the_next_and_no_other(shared: Path) -> None:
    (shared / ".releaser-new-of-a-neighbour").touch()
    assert (
        run(placing(shared, "acme", inside=['mv() { case $3 in *.conf) kill -9 $$ ;; esac; command mv "$@"; }'])) == -9
    )
    left = [one for one in shared.glob(".releaser-new-*") if one.read_text()]
    assert len(left) == 1, "it was killed with the file there"
    places = Places(root=str(shared.parent / "acme"), tag="1-1")
    assert run(scripts.fenced(places, 2, lock_wait_s=5)) == 0
    assert [one.name for one in shared.iterdir()] == [".releaser-new-of-a-neighbour"]
