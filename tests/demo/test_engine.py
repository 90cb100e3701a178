from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import httpx2
import pytest

from releaser.demo import images, keeper
from releaser.demo.engine import (
    EngineBusyError,
    EngineStartError,
    PrivateEngine,
    RunningEngine,
    answers,
    find_engine,
    identity,
)
from releaser.demo.images import Sample
from releaser.demo.ports import free_port

pytestmark = pytest.mark.usefixtures("docker_programs")


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def traces(folder: Path) -> list[str]:
    """What the engine of the folder has on the machine now, outside its folder and inside."""
    name = f"rls{identity(folder)}"
    pool = [line for line in output("ip", "-4", "-o", "address").splitlines() if name in line]
    processes = [
        entry.name
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and str(folder).encode() in _read(entry / "cmdline")
    ]
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
    groups = [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{name}")]
    files = [str(path) for path in folder.iterdir() if path.name not in {"dockerd.log", "engine.lock"}]
    short = [str(path) for path in Path("/tmp").glob(f"releaser-{identity(folder)}")]
    return [*pool, *processes, *mounts, *groups, *files, *short]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def bridges() -> set[str]:
    return {line.split(":")[1].strip() for line in output("ip", "-o", "link", "show", "type", "bridge").splitlines()}


@contextlib.contextmanager
def web(engine: PrivateEngine, *, network: str | None = None) -> Iterator[tuple[docker.DockerClient, str]]:
    """A sample container on the engine: the client and the container's address."""
    client = docker.DockerClient(base_url=engine.address, timeout=20)
    client.images.load(images.archive([Sample(version="1.0")], repository="engine-test", labels={}))
    port = free_port()
    ports = {f"{images.PORT}/tcp": ("127.0.0.1", port)}
    try:
        if network is not None:
            client.networks.create(network)
        client.containers.run("engine-test:1.0", detach=True, name="web", network=network, ports=ports)
        yield client, f"http://127.0.0.1:{port}/version"
    finally:
        client.close()


def get(url: str) -> str:
    until = time.monotonic() + 10
    while True:
        try:
            return httpx2.get(url, timeout=2, trust_env=False).text
        except httpx2.TransportError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def test_engine_started_serves_and_stopped_leaves_nothing(tmp_path: Path) -> None:
    rules, forwarding = output("iptables-save", "-c"), Path("/proc/sys/net/ipv4/ip_forward").read_text()
    before = bridges()
    engine = PrivateEngine(tmp_path)
    with engine, web(engine, network="shop") as (client, url):
        assert get(url) == "1.0\n"
        asked = ["/bin/busybox", "wget", "-q", "-O-", f"http://web:{images.PORT}/version"]
        assert client.containers.get("web").exec_run(asked).output == b"1.0\n"
        assert len(bridges() - before) >= 2
        assert traces(tmp_path)
        assert f"rls{identity(tmp_path)}" not in output("iptables-save")
    engine.stop()
    assert traces(tmp_path) == []
    assert not {name for name in bridges() - before if name.startswith("br-")}
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == forwarding
    assert [line for line in output("iptables-save").splitlines() if "198.18." in line] == []
    assert rules.count("\n-A") == output("iptables-save", "-c").count("\n-A")


def test_engines_side_by_side_do_not_meet(tmp_path: Path) -> None:
    with PrivateEngine(tmp_path / "one") as one, PrivateEngine(tmp_path / "two") as two:
        with web(one) as (client, url), web(two) as (_, other):
            assert get(url) == get(other) == "1.0\n"
            assert len(client.containers.list()) == 1
        one.stop()
        assert answers(two.address, timeout_s=2)


@pytest.mark.parametrize("victim", ["owner", "keeper"])
def test_run_that_was_killed_is_cleared_up(tmp_path: Path, victim: str) -> None:
    script = (
        "import sys, pathlib; from releaser.demo.engine import PrivateEngine\n"
        "engine = PrivateEngine(pathlib.Path(sys.argv[1])); engine.start()\n"
        "print(engine._keeper.pid, flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        kept = int(owner.stdout.readline())
        engine = PrivateEngine(tmp_path)
        with web(engine, network="shop") as (_, url):
            assert get(url) == "1.0\n"
        os.kill(owner.pid if victim == "owner" else kept, signal.SIGKILL)
        owner.kill()
    engine.recover()
    assert traces(tmp_path) == []
    with engine:
        assert answers(engine.address, timeout_s=2)
    assert traces(tmp_path) == []


def test_folder_in_use_is_refused_by_name(tmp_path: Path) -> None:
    with PrivateEngine(tmp_path), pytest.raises(EngineBusyError, match="Another run"):
        PrivateEngine(tmp_path, free_within_s=0.1).start()
    assert traces(tmp_path) == []


def test_folder_too_deep_for_a_socket_gets_a_short_one(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 25)
    with PrivateEngine(folder) as engine:
        assert len(engine.address) < 100
        assert answers(engine.address, timeout_s=2)
    assert traces(folder) == []


def test_engine_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(EngineStartError, match="points to a file"):
        PrivateEngine(tmp_path).start()
    assert traces(tmp_path) == []


def test_daemon_frozen_does_not_answer_until_it_is_thawed(engine: PrivateEngine) -> None:
    engine.freeze()
    try:
        assert not answers(engine.address, timeout_s=0.2)
    finally:
        engine.thaw()
    assert answers(engine.address, timeout_s=5)


def test_daemon_killed_comes_back_by_itself(tmp_path: Path) -> None:
    with PrivateEngine(tmp_path) as engine:
        pid = engine.daemon_pid()
        engine.kill_daemon()
        engine.wait_ready()
        assert engine.daemon_pid() != pid
    assert traces(tmp_path) == []


def test_search_finds_the_engine_that_is_named(engine: PrivateEngine) -> None:
    assert find_engine({"DOCKER_HOST": engine.address}) == engine.address


@pytest.mark.parametrize("address", ["unix:///none.sock", "tcp://127.0.0.1:1", "tcp://192.0.2.1:2375", "ssh://x", "x"])
def test_search_finds_none_that_is_missing_or_elsewhere(address: str) -> None:
    assert find_engine({"DOCKER_HOST": address}, timeout_s=0.5) is None


def test_search_gives_up_on_an_engine_that_hangs(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        before = time.monotonic()
        assert find_engine({"DOCKER_HOST": f"unix://{tmp_path}/silent.sock"}, timeout_s=0.2) is None
        assert time.monotonic() - before < 2


def test_running_engine_loses_what_is_labelled_and_nothing_else(
    engine: PrivateEngine, client: docker.DockerClient, tmp_path: Path
) -> None:
    with RunningEngine(engine.address, tmp_path) as running:
        labels = dict(running.labels)
        client.images.load(images.archive([Sample(version="7.0")], repository="mine", labels=labels))
        client.images.load(images.archive([Sample(version="7.0")], repository="theirs", labels={}))
        client.networks.create("mine", labels=labels)
        client.networks.create("theirs")
        client.volumes.create("mine", labels=labels)
        client.volumes.create("theirs")
        for name in ("mine", "theirs"):
            own = labels if name == "mine" else {}
            client.containers.run(f"{name}:7.0", detach=True, name=running.unique(name), labels=own, network=name)
    theirs = running.unique("theirs")
    assert [container.name for container in client.containers.list(all=True)] == [theirs]
    assert {network.name for network in client.networks.list()} == {"bridge", "host", "none", "theirs"}
    assert [volume.name for volume in client.volumes.list()] == ["theirs"]
    assert client.images.list("mine") == []
    assert client.images.list("theirs") != []
    client.volumes.get("theirs").remove()


def test_keeper_reads_only_what_it_wrote() -> None:
    kept = keeper.Kept(command=("true",), log="/dev/null", pool="198.18.0.0/20", remove=("/nowhere/x",))
    assert keeper.Kept.from_json(kept.to_json()) == kept
    for text in ("", "[]", "{}", '{"command": 1}'):
        with pytest.raises(ValueError, match=r"."):
            keeper.Kept.from_json(text)
