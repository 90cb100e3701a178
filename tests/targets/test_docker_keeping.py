"""A container's configuration survives its update on a real engine: every setting alone, and all of them at once."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import docker
import pytest

from releaser.demo.engine import PrivateEngine
from releaser.demo.registry import Registry
from releaser.domain.spec import ContainerSpec, HealthSpec, Order, PortBinding, Volume, of_kind
from releaser.domain.target import Assignment, Desired, Phase
from releaser.errors import RefusedError
from releaser.targets.docker import cloning, declaring
from releaser.targets.docker.container import Label
from releaser.targets.docker.scene import Found
from releaser.targets.target import InconsistentError
from tests.fakes.controller import Controller, GateError
from tests.targets.docker_world import World

SECOND = 1_000_000_000
BRIDGE = "com.docker.network.bridge.name"
OURS = {label.value for label in Label}

DEFAULTS: dict[str, dict[str, Any]] = {
    "old": {
        "Env": ["TIER=old", "LANG=C"],
        "Labels": {"vendor.line": "1.0", "vendor.only-old": "yes"},
        "WorkingDir": "/www",
        "User": "0",
        "ExposedPorts": {"7001/tcp": {}},
        "Volumes": {"/state": {}},
        "StopSignal": "SIGTERM",
        "Cmd": ["old"],
        "Healthcheck": {"Test": ["CMD", "/bin/busybox", "true"], "Interval": 2 * SECOND},
    },
    "new": {
        "Env": ["TIER=new", "LANG=C.UTF-8"],
        "Labels": {"vendor.line": "1.1", "vendor.only-new": "yes"},
        "WorkingDir": "/",
        "User": "1",
        "ExposedPorts": {"7002/tcp": {}},
        "Volumes": {"/state": {}},
        "StopSignal": "SIGINT",
        "Cmd": ["new"],
        "Healthcheck": {"Test": ["CMD", "/bin/busybox", "test", "-e", "/www"], "Interval": SECOND},
    },
}


@pytest.fixture(scope="module")
def furnished(engine: PrivateEngine, registry: Registry, published: Mapping[str, str]) -> dict[str, str]:
    """Two versions of an image that differ in everything an image can bring; version -> digest."""
    client = docker.APIClient(base_url=engine.address)
    repository = f"{registry.address}/contract"
    digests: dict[str, str] = {}
    client.pull(repository, "1.0")
    for version, config in DEFAULTS.items():
        base = client.create_container(f"{repository}@{published['1.0']}")
        client.commit(base, repository, version, conf=config)
        client.remove_container(base)
        for line in client.push(
            repository, version, stream=True, decode=True, auth_config={"username": "", "password": ""}
        ):
            digests[version] = str((line.get("aux") or {}).get("Digest", digests.get(version, "")))
    client.close()
    return digests


@pytest.fixture
def networks(real_world: World) -> Iterator[None]:
    """Two networks of a user, with addresses of their own."""
    client = docker.APIClient(base_url=real_world.address)
    for name, subnet in (("keep-a", "10.91.1.0/24"), ("keep-b", "10.91.2.0/24")):
        ipam = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)])
        client.create_network(name, ipam=ipam, options={BRIDGE: f"rlk{secrets.token_hex(4)}"})
    yield
    for found in client.containers(all=True, filters={"name": "^/?contract-"}):
        client.remove_container(found["Id"], force=True, v=True)
    for name in ("keep-a", "keep-b"):
        client.remove_network(name)
    client.close()


@pytest.fixture
def world(real_world: World, furnished: dict[str, str]) -> World:
    real_world.digests = {**real_world.digests, **furnished}
    return real_world


HOST: dict[str, Any] = {
    "Binds": ["contract-data:/data", "/usr/share:/usr/share:ro"],
    "PortBindings": {
        "9100/tcp": [{"HostIp": "", "HostPort": ""}],
        "9101/udp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
    },
    "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 4},
    "Memory": 64 * 2**20,
    "MemoryReservation": 32 * 2**20,
    "MemorySwap": 96 * 2**20,
    "NanoCpus": 500_000_000,
    "CpuShares": 512,
    "CpusetCpus": "0",
    "PidsLimit": 100,
    "BlkioWeight": 0,
    "OomScoreAdj": 100,
    "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
    "CapAdd": ["NET_ADMIN"],
    "CapDrop": ["MKNOD"],
    "SecurityOpt": ["no-new-privileges"],
    "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nothing", "CgroupPermissions": "r"}],
    "DeviceCgroupRules": ["c 1:3 r"],
    "Tmpfs": {"/scratch": "size=1m"},
    "Sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
    "ShmSize": 32 * 2**20,
    "Init": True,
    "ExtraHosts": ["db.internal:10.0.0.9"],
    "Dns": ["10.0.0.1"],
    "DnsOptions": ["ndots:2"],
    "DnsSearch": ["example.org"],
    "GroupAdd": ["12"],
    "ReadonlyRootfs": True,
    "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 2048}],
    "IpcMode": "shareable",
    "CgroupParent": "",
    "Mounts": [
        {"Type": "volume", "Source": "contract-more", "Target": "/more", "VolumeOptions": {"Labels": {"k": "v"}}},
        {"Type": "tmpfs", "Target": "/quick", "TmpfsOptions": {"SizeBytes": 1048576}},
    ],
}
CONFIG: dict[str, Any] = {
    "Env": ["SECRET=x=y", "TIER=own", "EMPTY="],
    "Labels": {"com.example.team": "shop", "vendor.line": "mine"},
    "Hostname": "shop-1",
    "Domainname": "example.org",
    "Cmd": ["own", "--flag"],
    "User": "0:0",
    "WorkingDir": "/bin",
    "StopSignal": "SIGUSR1",
    "StopTimeout": 3,
    "Tty": True,
    "OpenStdin": True,
    "ExposedPorts": {"9000/tcp": {}},
    "MacAddress": "02:42:ac:11:00:99",
    "Healthcheck": {"Test": ["CMD", "/bin/busybox", "test", "-e", "/"], "Interval": 3 * SECOND // 2, "Retries": 7},
}
MORE: dict[str, dict[str, Any]] = {
    "privileged": {"HostConfig": {"Privileged": True}},
    "host-network": {"HostConfig": {"NetworkMode": "host"}},
    "no-network": {"HostConfig": {"NetworkMode": "none"}},
    "host-pid": {"HostConfig": {"PidMode": "host"}},
    "host-uts": {"HostConfig": {"UTSMode": "host"}},
    "every-port": {"HostConfig": {"PublishAllPorts": True}},
    "no-healthcheck": {"Healthcheck": {"Test": ["NONE"]}},
    "entrypoint": {"Entrypoint": ["/bin/busybox", "sleep"], "Cmd": ["1000"]},
    "entrypoint-alone": {"Entrypoint": ["/bin/busybox", "sleep", "1000"]},
    "entrypoint-none": {"Entrypoint": [""], "Cmd": ["/bin/busybox", "sleep", "1000"]},
    "unlimited-swap": {"HostConfig": {"Memory": 64 * 2**20, "MemorySwap": -1}},
    "nothing": {},
}
SETTINGS = {
    **{name: {"HostConfig": {name: value}} for name, value in HOST.items() if name != "MemorySwap"},
    "MemorySwap": {"HostConfig": {"Memory": HOST["Memory"], "MemorySwap": HOST["MemorySwap"]}},
    **{name: {name: value} for name, value in CONFIG.items()},
    **MORE,
}


def _asked(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What makes up a container, without what belongs to this one only: ids, names, our labels, what the engine gave."""
    short = str(raw["Id"])[:12]
    config, host = dict(raw["Config"]), dict(raw["HostConfig"])
    config.pop("Image")
    config["Labels"] = {key: text for key, text in config["Labels"].items() if key not in OURS}
    config["Env"] = sorted(config["Env"])
    config["Hostname"] = "" if config["Hostname"] == short else config["Hostname"]
    host["Binds"] = sorted(host["Binds"] or ())
    host["RestartPolicy"] = {**host["RestartPolicy"], "Name": host["RestartPolicy"]["Name"] or "no"}
    ends = {}
    for name, one in raw["NetworkSettings"]["Networks"].items():
        aliases = [alias for alias in one["Aliases"] or () if alias != short]
        ends[name] = [aliases, one["IPAMConfig"] or {}, one["Links"], one["DriverOpts"]]
    empty: tuple[Any, ...] = (None, [], {}, "")
    plain = {key: value for key, value in config.items() if value not in empty}
    return {"Config": plain, "HostConfig": {key: v for key, v in host.items() if v not in empty}, "Networks": ends}


def _spec(name: str, **more: Any) -> ContainerSpec:  # noqa: ANN401  # passed on
    health = HealthSpec(stay_up_for_s=0.0)
    return ContainerSpec(name=name, restart="no", keep_undeclared=True, health=health, stop_grace_s=10, **more)


@pytest.mark.parametrize("setting", list(SETTINGS))
def test_single_setting_is_the_same_in_the_container_made_anew(world: World, setting: str) -> None:
    engine = world.engine()
    payload = {"Image": f"{world.repository}@{world.digests['old']}", **SETTINGS[setting]}
    payload.setdefault("HostConfig", {})
    name = f"contract-one-{setting.lower()}"
    first = engine.create(name, payload)
    found = Found(engine.container(first) or {})
    policy = SETTINGS[setting].get("HostConfig", {}).get("RestartPolicy")
    spec = declaring.declared(found.raw, cloning.clone(engine, found))
    assert spec.restart == ("on-failure:4" if policy else "no")
    made = cloning.body(engine, spec, source=found, before=spec, aliases=())
    made.payload["Image"] = found.raw["Config"]["Image"]
    second = engine.create(f"{name}-again", made.request(all_networks=False))
    before, after = _asked(found.raw), _asked(engine.container(second) or {})
    anonymous = [b for b in after["HostConfig"].get("Binds", []) if b.endswith(":/state")]
    assert len(anonymous) == 1, "the volume without a name was not bound by its name"
    after["HostConfig"]["Binds"] = [b for b in after["HostConfig"]["Binds"] if b not in anonymous]
    after["HostConfig"] = {key: value for key, value in after["HostConfig"].items() if value != []}
    if setting == "host-network":
        assert "Hostname" not in made.payload
    assert after == before
    for container in (first, second):
        engine.remove(container, volumes=True)
    engine.close()


def _everything(world: World) -> str:
    """Somebody runs a container by hand with everything set."""
    engine = world.engine()
    config = {
        **CONFIG,
        "Image": f"{world.repository}:old",
        "User": "0:0",
        "Volumes": {"/by-hand": {}},
        "HostConfig": {
            **HOST,
            "NetworkMode": "keep-a",
            "Mounts": [*HOST["Mounts"], {"Type": "volume", "Target": "/bare"}],
        },
        "NetworkingConfig": {
            "EndpointsConfig": {"keep-a": {"Aliases": ["shop"], "IPAMConfig": {"IPv4Address": "10.91.1.50"}}}
        },
    }
    container = engine.create("contract-all", config)
    engine.connect("keep-b", container, {"Aliases": ["shop-b"], "IPAMConfig": {"IPv4Address": "10.91.2.50"}})
    engine.start(container)
    engine.close()
    return container


def _assignment(world: World, version: str, previous: Desired | None, spec: ContainerSpec, rollout: int) -> Assignment:
    return world.assignment(world.desired(version, spec), previous, rollout=rollout)


def _expected_after(before: dict[str, Any], volumes: list[str]) -> dict[str, Any]:
    """All that was set, on the defaults of the new image."""
    config, host = dict(before["Config"]), dict(before["HostConfig"])
    config["Env"] = sorted([*(e for e in config["Env"] if e != "LANG=C"), "LANG=C.UTF-8"])
    config["Labels"] = {
        **{k: v for k, v in config["Labels"].items() if k != "vendor.only-old"},
        "vendor.only-new": "yes",
    }
    config["ExposedPorts"] = {
        **{k: v for k, v in config["ExposedPorts"].items() if k != "7001/tcp"},
        "7002/tcp": {},
    }
    host["Binds"] = sorted([*host["Binds"], *volumes])
    return {**before, "Config": config, "HostConfig": host}


def _unnamed(raw: Mapping[str, Any]) -> dict[str, str]:
    return {m["Destination"]: m["Name"] for m in raw["Mounts"] if m["Type"] == "volume" and len(m["Name"]) == 64}


def test_everything_set_survives_two_updates_and_image_defaults_move_on(world: World, networks: None) -> None:
    _everything(world)
    raw = world.raw("contract-all")
    before, volumes = _asked(raw), _unnamed(raw)
    assert set(volumes) == {"/state", "/by-hand", "/bare"}
    (adopted,) = world.driver().adoptable(world.address, names=("contract-all",), project="")
    spec = of_kind(adopted.spec, ContainerSpec)
    assert (spec.networks, spec.stop_grace_s, spec.restart) == (("keep-a", "keep-b"), 3, "on-failure:4")
    assert "SECRET" not in spec.environment
    assert adopted.digest == world.digests["old"]
    first = _assignment(world, "new", world.desired("old", spec), spec, 2)
    Controller(world.driver()).update(first)
    raw = world.raw("contract-all")
    expected = _expected_after(before, [f"{volumes[place]}:{place}" for place in ("/state", "/by-hand")])
    for mount in expected["HostConfig"]["Mounts"]:
        if mount["Target"] == "/bare":
            mount["Source"] = volumes["/bare"]
    assert _asked(raw) == expected
    assert _unnamed(raw) == volumes, "a volume without a name was left behind"
    assert raw["NetworkSettings"]["Networks"]["keep-b"]["IPAddress"] == "10.91.2.50"
    second = _assignment(world, "1.0", first.desired, spec, 3)
    Controller(world.driver()).update(second)
    third = world.raw("contract-all")
    assert _asked(third)["HostConfig"] == expected["HostConfig"]
    assert _asked(third)["Networks"] == expected["Networks"]
    assert "LANG=C.UTF-8" not in third["Config"]["Env"], "a default of an image that is gone was kept"
    assert _unnamed(third) == volumes


def test_default_container_takes_every_default_of_the_new_image(world: World) -> None:
    world.by_hand("contract-plain", "old", {})
    state = _unnamed(world.raw("contract-plain"))
    spec = _spec("contract-plain")
    Controller(world.driver()).update(_assignment(world, "new", world.desired("old", spec), spec, 2))
    raw = world.raw("contract-plain")
    fresh = world.raw(world.by_hand("contract-fresh", "new", {}))
    mine, wanted = _asked(raw), _asked(fresh)
    assert mine["Config"] == wanted["Config"]
    assert mine["HostConfig"].pop("Binds") == [f"{state['/state']}:/state"]
    assert mine == wanted


def test_update_that_fails_leaves_the_old_container_itself(world: World, networks: None) -> None:
    container = _everything(world)
    before = _asked(world.raw("contract-all"))
    spec = ContainerSpec(name="contract-all", keep_undeclared=True, restart="on-failure:4", stop_grace_s=1)
    assignment = _assignment(world, "exits", world.desired("old", spec), spec, 2)
    controller = Controller(world.driver())
    with pytest.raises(GateError):
        controller.update(assignment)
    controller.roll_back(assignment)
    raw = world.raw("contract-all")
    assert raw["Id"] == container
    assert _asked(raw) == before
    assert raw["State"]["Status"] == "running"


def test_old_one_removed_by_hand_in_mid_update_is_made_again_as_it_was(world: World, networks: None) -> None:
    _everything(world)
    before = _asked(world.raw("contract-all"))
    volumes = _unnamed(world.raw("contract-all"))
    spec = ContainerSpec(name="contract-all", keep_undeclared=True, restart="on-failure:4", stop_grace_s=1)
    assignment = _assignment(world, "new", world.desired("old", spec), spec, 2)
    controller = Controller(world.driver())
    for step in controller.plan(assignment)[:5]:
        controller.carry_out(step, assignment, wanted=assignment.desired)
    world.remove_by_hand("contract-all.old-2-1")
    controller.roll_back(assignment)
    after = _asked(world.raw("contract-all"))
    assert after["Config"] == before["Config"]
    assert after["Networks"] == before["Networks"]
    assert _unnamed(world.raw("contract-all")) == volumes


def test_declared_change_goes_over_what_is_kept_and_only_that(world: World) -> None:
    world.by_hand(
        "contract-merge",
        "old",
        {
            "Env": ["A=1", "B=2", "HAND=yes"],
            "Labels": {"a": "1", "hand": "yes"},
            "HostConfig": {"Binds": ["contract-data:/data"], "Memory": 64 * 2**20, "CapAdd": ["NET_ADMIN"]},
        },
    )
    was = _spec("contract-merge", environment={"A": "1", "B": "2"}, labels={"a": "1"}, memory_mb=64)
    now = _spec(
        "contract-merge",
        environment={"B": "3"},
        memory_mb=32,
        ports=(PortBinding(container_port=8080, host_port=0),),
        volumes=(Volume(source="contract-more", target="/more"),),
    )
    Controller(world.driver()).update(_assignment(world, "new", world.desired("old", was), now, 2))
    asked = _asked(world.raw("contract-merge"))
    env = set(asked["Config"]["Env"])
    assert {"B=3", "HAND=yes"} <= env
    assert not {"A=1", "B=2"} & env
    assert asked["Config"]["Labels"].get("hand") == "yes"
    assert "a" not in asked["Config"]["Labels"]
    assert (asked["HostConfig"]["Memory"], asked["HostConfig"]["MemorySwap"]) == (32 * 2**20, 64 * 2**20)
    assert asked["HostConfig"]["CapAdd"] == ["NET_ADMIN"]
    assert {"contract-data:/data", "contract-more:/more"} < set(asked["HostConfig"]["Binds"])


def test_start_first_is_refused_for_what_only_one_can_have(world: World, networks: None) -> None:
    container = _everything(world)
    spec = ContainerSpec(name="contract-all", keep_undeclared=True, order=Order.START_FIRST)
    assignment = _assignment(world, "new", world.desired("old", spec), spec, 2)
    with pytest.raises(RefusedError, match="address of its own"):
        Controller(world.driver()).update(assignment)
    assert world.raw("contract-all")["Id"] == container


def test_container_that_is_gone_leaves_nothing_to_keep_from(world: World) -> None:
    spec = _spec("contract-gone")
    with pytest.raises(InconsistentError, match="kept in it only"):
        Controller(world.driver()).update(_assignment(world, "new", world.desired("old", spec), spec, 2))


def _beside(world: World, main: str) -> str:
    """Somebody runs a container in the network of another one; its id."""
    config = {
        "Entrypoint": ["/bin/busybox", "sleep", "1000"],
        "StopSignal": "SIGKILL",
        "Env": ["ROLE=beside"],
        "HostConfig": {"NetworkMode": f"container:{main}"},
    }
    return world.by_hand("contract-beside", "1.0", config)


def test_container_in_the_network_of_an_updated_one_is_made_anew_with_it(world: World) -> None:
    world.by_hand("contract-main", "1.0", {})
    former = _beside(world, str(world.raw("contract-main")["Id"]))
    spec = _spec("contract-main")
    Controller(world.driver()).update(_assignment(world, "1.1", world.desired("1.0", spec), spec, 2))
    beside = world.raw("contract-beside")
    assert beside["Id"] != former
    assert beside["HostConfig"]["NetworkMode"] == f"container:{world.raw('contract-main')['Id']}"
    assert beside["State"]["Status"] == "running"
    assert "ROLE=beside" in beside["Config"]["Env"]
    assert set(world.there("contract-beside")) == {"contract-beside"}, "the former one is left over"


@pytest.mark.parametrize("steps", [2, 4, 7])
def test_container_in_the_network_of_one_that_comes_back_comes_back_itself(world: World, steps: int) -> None:
    world.by_hand("contract-main", "1.0", {})
    former = _beside(world, str(world.raw("contract-main")["Id"]))
    spec = _spec("contract-main")
    assignment = _assignment(world, "1.1", world.desired("1.0", spec), spec, 2)
    controller = Controller(world.driver())
    for step in controller.plan(assignment)[:steps]:
        if step.phase is not Phase.COMMIT:
            controller.carry_out(step, assignment, wanted=assignment.desired)
    controller.roll_back(assignment)
    main, beside = world.raw("contract-main"), world.raw("contract-beside")
    assert beside["Id"] == former
    assert beside["State"]["Status"] == "running"
    assert beside["State"]["StartedAt"] > main["State"]["StartedAt"], "its network went away under it"
    assert set(world.there("contract-beside")) == {"contract-beside"}


def test_compose_project_is_found_by_its_labels_and_left_as_it_is(world: World) -> None:
    prefix = "com.docker.compose."
    for service, one_off in (("web", "False"), ("db", "False"), ("shell", "True")):
        labels = {f"{prefix}project": "contract", f"{prefix}service": service, f"{prefix}oneoff": one_off}
        world.by_hand(f"contract-{service}-1", "1.0", {"Labels": labels})
    before = {name: world.raw(name) for name in ("contract-web-1", "contract-db-1")}
    found = world.driver().adoptable(world.address, names=(), project="contract")
    assert [(one.service, one.version_label) for one in found] == [("db", "1.0"), ("web", "1.0")]
    assert not any(of_kind(one.spec, ContainerSpec).labels for one in found), "labels of compose are kept, not declared"
    for name, raw in before.items():
        assert world.raw(name) == raw
