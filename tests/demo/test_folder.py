from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from releaser.demo.folder import MARKER, FolderBusyError, FolderError, NotOurFolderError, claimed


def test_new_folder_is_made_and_claimed(tmp_path: Path) -> None:
    with claimed(tmp_path / "a" / "demo") as folder:
        assert [path.name for path in folder.path.iterdir()] == [MARKER]


def test_folder_of_an_earlier_run_is_emptied(tmp_path: Path) -> None:
    with claimed(tmp_path / "demo") as folder:
        (folder.path / "deep" / "er").mkdir(parents=True)
        (folder.path / "deep" / "file").write_text("old")
        (folder.path / "link").symlink_to(tmp_path)
    with claimed(tmp_path / "demo") as folder:
        assert [path.name for path in folder.path.iterdir()] == [MARKER]
    assert tmp_path.is_dir()


def test_empty_folder_may_be_taken(tmp_path: Path) -> None:
    with claimed(tmp_path) as folder:
        assert folder.path == tmp_path


def test_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(NotOurFolderError, match="left alone"), claimed(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_file_in_place_of_the_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    with pytest.raises(FolderError, match="demo"), claimed(tmp_path / "demo"):
        pass


def test_second_claim_while_the_owner_lives_is_refused_at_once(tmp_path: Path) -> None:
    with claimed(tmp_path / "demo") as folder:
        (folder.path / "kept").write_text("")
        with pytest.raises(FolderBusyError), claimed(tmp_path / "demo"):
            pass
        assert (folder.path / "kept").exists()


def test_claim_after_a_killed_owner_waits_for_what_it_left_running(tmp_path: Path) -> None:
    # The owner is killed; what it had started holds the lock until it sees its standard input closed by us.
    owner = (
        "import os, signal, subprocess, sys\n"
        "from pathlib import Path\n"
        "from releaser.demo.folder import claimed\n"
        "with claimed(Path(sys.argv[1])) as folder:\n"
        "    subprocess.Popen(['cat'], pass_fds=(folder.lock.fileno(),))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", owner, str(tmp_path / "demo")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killed:
        killed.wait(20)
        with pytest.raises(FolderBusyError), claimed(tmp_path / "demo", free_within_s=0.2):
            pass
        assert killed.stdin is not None
        killed.stdin.close()
        with claimed(tmp_path / "demo") as folder:
            assert [path.name for path in folder.path.iterdir()] == [MARKER]
