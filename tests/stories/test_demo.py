"""The demonstration as a newcomer runs it, in a process of its own on the real engine; afterwards nothing is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from releaser.demo.engine import find_engine, identity
from releaser.demo.folder import MARKER
from tests import needs

pytestmark = pytest.mark.timeout(180)

NO_HISTORY = ("--history", "/nowhere")


@pytest.fixture
def machine(docker_programs: None, registry_program: None) -> None:
    """What the demonstration stands on."""
    needs.program("busybox", of="busybox")


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The demonstration without the big history, in a session of its own, as a terminal would have it."""
    return subprocess.Popen(
        [sys.executable, "-m", "releaser.demo", "--folder", str(folder), *NO_HISTORY, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    )


def lines_until(demo: subprocess.Popen[str], text: str) -> Iterator[str]:
    """What it writes, up to the line that holds `text`."""
    assert demo.stdout is not None
    for line in demo.stdout:
        yield line
        if text in line:
            return


def left_of(folder: Path) -> list[str]:
    """Everything on the machine that belongs to the run in `folder`: processes, mounts, interfaces, cgroups, files."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in command and int(entry.name) != os.getpid():
                found.append(f"process {entry.name}: {command}")
    found += [f"mount {line}" for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
    name = f"rls{identity(folder / 'engine')}"
    links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, check=True, text=True).stdout)
    found += [f"interface {link['ifname']}" for link in links if link.get("ifname") == name]
    found += [f"cgroup {path}" for path in Path("/sys/fs/cgroup").glob(f"**/{name}")]
    found += [str(path) for path in Path("/tmp").glob(f"releaser-{identity(folder / 'engine')}*")]
    if (address := find_engine()) is not None:
        label = f"label=releaser.demo={identity(folder / 'engine')}"
        for what in (("ps", "-aq"), ("network", "ls", "-q"), ("volume", "ls", "-q"), ("images", "-q")):
            listed = subprocess.run(
                ["docker", "-H", address, *what, "--filter", label], capture_output=True, check=True, text=True
            )
            found += [f"{what[0]} {one}" for one in listed.stdout.split()]
    return found


@pytest.mark.usefixtures("machine")
def test_whole_demo_happens_then_serves_refuses_a_second_one_and_leaves_nothing_but_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo = started(folder)
    try:
        said = list(lines_until(demo, "Ctrl-C"))
        assert "Ctrl-C" in said[-1], "".join(said)
        assert "All of it happened" in "".join(said)
        assert "SHOP-4" in "".join(said)
        address = next(word for word in said[-1].split() if word.startswith("http://"))
        with urllib.request.urlopen(f"{address}/", timeout=10) as page:  # noqa: S310 -- our own
            assert "shop" in page.read().decode().lower()
        second = subprocess.run(
            [sys.executable, "-m", "releaser.demo", "--once", "--folder", str(folder), *NO_HISTORY],
            capture_output=True,
            check=False,
            text=True,
            timeout=30,
        )
        assert second.returncode == 1
        assert "Another demonstration runs" in second.stderr
        assert demo.poll() is None
    finally:
        # As a terminal does it: everybody in the foreground gets the signal.
        os.killpg(demo.pid, signal.SIGINT)
    rest, _ = demo.communicate(timeout=40)
    assert demo.returncode == 0, rest
    assert left_of(folder) == []
    assert list((folder / "mail").glob("*.eml"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo"]


@pytest.mark.usefixtures("machine")
def test_demo_interrupted_on_the_way_cleans_up_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo = started(folder, "--once")
    list(lines_until(demo, "Start the service"))
    os.killpg(demo.pid, signal.SIGTERM)
    rest, _ = demo.communicate(timeout=40)
    assert demo.returncode == 128 + signal.SIGTERM, rest
    assert left_of(folder) == []


@pytest.mark.usefixtures("machine")
def test_killed_demo_takes_everything_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo = started(folder, "--once")
    list(lines_until(demo, "Start the service"))
    demo.kill()
    demo.communicate(timeout=40)
    until = time.monotonic() + 20
    while left_of(folder) and time.monotonic() < until:
        time.sleep(0.2)
    assert left_of(folder) == []


def test_folder_with_somebody_elses_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    demo = started(tmp_path, "--once")
    said, _ = demo.communicate(timeout=30)
    assert demo.returncode == 1
    assert "left alone" in said
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert MARKER not in said


def test_port_that_is_taken_is_named_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = started(tmp_path / "demo", "--once", "--port", str(port))
        said, _ = demo.communicate(timeout=30)
    assert demo.returncode == 1
    assert f"port {port}" in said
