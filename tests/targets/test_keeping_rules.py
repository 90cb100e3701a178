"""What of an inspected container was asked for: the cases that an engine of today does not show by itself."""

from __future__ import annotations

from typing import Any

import pytest

from releaser.domain.spec import ContainerSpec
from releaser.targets.docker import declaring
from releaser.targets.docker.container import Body
from releaser.targets.docker.keeping import joined, kept, only_one_can_have, overlaid, own_ulimits
from releaser.targets.docker.looking import settings

ID = "f9b84072dde426340a6fcb905646497fe9537cdf288b5c7fa1ee61bc907f4dd1"
OTHER = "0" * 64


def inspected(
    *,
    host: dict[str, Any] | None = None,
    networks: dict[str, Any] | None = None,
    **config: Any,  # noqa: ANN401
) -> dict[str, Any]:
    return {
        "Id": ID,
        "Name": "/shop",
        "Config": {"Hostname": ID[:12], "Env": [], "Labels": {}, **config},
        "HostConfig": {"NetworkMode": "bridge", **(host or {})},
        "NetworkSettings": {"Networks": networks or {}},
        "Mounts": [],
    }


def body(raw: dict[str, Any], image: dict[str, Any] | None = None, **more: Any) -> Body:  # noqa: ANN401
    return kept(raw, image or {}, names={OTHER: "sidecar"}, **more)


@pytest.mark.parametrize("key", ["NetworkMode", "IpcMode", "PidMode"])
def test_other_container_goes_by_its_name(key: str) -> None:
    raw = inspected(host={key: f"container:{OTHER}"})
    assert list(joined(raw)) == [OTHER]
    assert body(raw).payload["HostConfig"][key] == "container:sidecar"


def test_network_of_another_container_brings_its_host_name_and_mac() -> None:
    raw = inspected(
        host={"NetworkMode": f"container:{OTHER}"},
        Hostname="sidecar",
        Domainname="x.org",
        MacAddress="02:00:00:00:00:01",
    )
    assert not {"Hostname", "Domainname", "MacAddress"} & set(body(raw).payload)


def test_volumes_and_links_of_other_containers_go_by_their_names() -> None:
    host = body(inspected(host={"VolumesFrom": [f"{OTHER}:ro"], "Links": ["/db:/shop/database"]})).payload["HostConfig"]
    assert host["VolumesFrom"] == ["sidecar:ro"]
    assert host["Links"] == ["db:database"]


@pytest.mark.parametrize(("hostname", "is_kept"), [(ID[:12], False), ("node-1", False), ("shop-1", True)])
def test_host_name_is_kept_only_where_somebody_set_it(hostname: str, is_kept: bool) -> None:  # noqa: FBT001
    raw = inspected(host={"NetworkMode": "host"}, Hostname=hostname)
    assert ("Hostname" in body(raw, host_name="node-1").payload) is is_kept


def test_alias_that_is_the_id_and_address_that_nobody_set_are_not_kept() -> None:
    endpoint = {
        "Aliases": ["shop", ID[:12]],
        "IPAMConfig": None,
        "IPAddress": "10.0.0.2",
        "MacAddress": "02:42:0a:00:00:02",
    }
    found = body(inspected(host={"NetworkMode": "front"}, networks={"front": endpoint}))
    assert found.endpoints == {"front": {"Aliases": ["shop"]}}
    assert "MacAddress" not in found.payload


def test_mac_that_the_engine_says_was_set_is_kept() -> None:
    assert body(inspected(), mac="02:00:00:00:00:07").payload["MacAddress"] == "02:00:00:00:00:07"


@pytest.mark.parametrize(("newer", "named"), [(True, {"front", "back"}), (False, {"front"})])
def test_several_networks_are_named_at_once_only_where_the_engine_takes_them(newer: bool, named: set[str]) -> None:  # noqa: FBT001
    networks = {"back": {"Aliases": ["b"]}, "front": {"Aliases": ["f"]}}
    found = body(inspected(host={"NetworkMode": "front"}, networks=networks))
    assert list(found.endpoints) == ["front", "back"]
    assert set(found.request(all_networks=newer)["NetworkingConfig"]["EndpointsConfig"]) == named


@pytest.mark.parametrize(
    ("own", "brought", "asked"),
    [
        ((["/a"], ["x"]), (["/a"], ["x"]), {}),
        ((["/a"], ["y"]), (["/a"], ["x"]), {"Cmd": ["y"]}),
        ((["/a"], None), (["/a"], ["x"]), {"Entrypoint": ["/a"]}),
        ((["/b"], None), (["/a"], ["x"]), {"Entrypoint": ["/b"]}),
        ((["/b"], ["x"]), (["/a"], ["x"]), {"Entrypoint": ["/b"], "Cmd": ["x"]}),
        ((None, ["y"]), (["/a"], ["x"]), {"Entrypoint": [""], "Cmd": ["y"]}),
        ((None, ["y"]), (None, ["x"]), {"Cmd": ["y"]}),
        ((None, None), (None, None), {}),
    ],
)
def test_entrypoint_and_command_are_told_apart_from_the_images(own: Any, brought: Any, asked: Any) -> None:  # noqa: ANN401
    raw = inspected(Entrypoint=own[0], Cmd=own[1])
    payload = body(raw, {"Entrypoint": brought[0], "Cmd": brought[1]}).payload
    assert {key: payload[key] for key in ("Entrypoint", "Cmd") if key in payload} == asked


def test_health_check_is_told_apart_field_by_field() -> None:
    raw = inspected(Healthcheck={"Test": ["CMD", "a"], "Interval": 5, "Retries": 3})
    found = body(raw, {"Healthcheck": {"Test": ["CMD", "a"], "Interval": 9, "Retries": 3}})
    assert found.payload["Healthcheck"] == {"Interval": 5}


def test_limits_that_the_engine_sets_for_everybody_are_left_to_it() -> None:
    nofile, core = {"Name": "nofile", "Soft": 1, "Hard": 2}, {"Name": "core", "Soft": 0, "Hard": 0}
    assert own_ulimits([nofile, core], [nofile]) == [core]
    always = {"Name": "RLIMIT_NPROC", "Soft": 9, "Hard": 9}
    assert body(inspected(host={"Ulimits": [always, core]})).payload["HostConfig"]["Ulimits"] == [core]


def test_labels_of_ours_are_not_kept() -> None:
    raw = inspected(Labels={"releaser.target": "a/b@c", "releaser.demo": "x", "team": "shop"})
    assert body(raw).payload["Labels"] == {"releaser.demo": "x", "team": "shop"}


@pytest.mark.parametrize(
    ("host", "networks", "config", "says"),
    [
        ({"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}, {}, {}, "fixed host port 80"),
        ({"NetworkMode": "host"}, {}, {}, "the network 'host'"),
        ({"NetworkMode": "n"}, {"n": {"IPAMConfig": {"IPv4Address": "10.0.0.9"}}}, {}, "an address of its own"),
        ({}, {}, {"MacAddress": "02:00:00:00:00:01"}, "a MAC address"),
        ({"Devices": [{"PathOnHost": "/dev/x"}]}, {}, {}, "a device"),
        ({"PortBindings": {"80/tcp": [{"HostPort": ""}]}}, {}, {}, ""),
    ],
)
def test_what_only_one_container_can_have_is_told(
    host: dict[str, Any], networks: dict[str, Any], config: dict[str, Any], says: str
) -> None:
    told = only_one_can_have(body(inspected(host=host, networks=networks, **config)))
    assert says in told
    assert bool(says) is bool(told)


def test_declared_network_that_is_dropped_is_left_and_a_new_one_joined() -> None:
    raw = inspected(host={"NetworkMode": "a"}, networks={"a": {"Aliases": ["x"]}, "hand": {"Aliases": ["h"]}})
    before = ContainerSpec(name="shop", networks=("a",), aliases=("x",), keep_undeclared=True)
    now = ContainerSpec(name="shop", networks=("b",), aliases=("y",), keep_undeclared=True)
    found = overlaid(body(raw), before=before, now=now)
    assert found.payload["HostConfig"]["NetworkMode"] == "b"
    assert found.endpoints == {"b": {"Aliases": ["y"]}, "hand": {"Aliases": ["h"]}}


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("DB_PASSWORD", "x", True),
        ("API_KEY", "x", True),
        ("URL", "postgres://me:pw@db/shop", True),
        ("CERT", "-----BEGIN" + " CERTIFICATE-----", True),
        ("BLOB", "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU2Nzg5", True),
        ("SENTRY_DSN", "x", True),
        ("MODE", "production", False),
        ("URL", "https://db.example/shop", False),
        ("MONKEY", "no", False),
    ],
)
def test_what_looks_like_a_secret_is_never_declared(name: str, value: str, secret: bool) -> None:  # noqa: FBT001
    raw = inspected(Env=[f"{name}={value}"], Labels={name: value})
    found = body(raw)
    spec = declaring.declared(raw, found)
    assert (name not in spec.environment, name not in spec.labels) == (secret, secret)
    shown = str(declaring.undeclared(found, spec))
    assert (declaring.HIDDEN in shown) is secret
    assert not (secret and value in shown and len(value) > 1)


@pytest.mark.parametrize(
    "config",
    [
        {"Cmd": ["serve", "--password=hunter2x"]},
        {"Entrypoint": ["/run", "--token", "hunter2x"]},
        {"Healthcheck": {"Test": ["CMD", "curl", "http://me:hunter2x@127.0.0.1/"]}},
        {"host": {"LogConfig": {"Type": "splunk", "Config": {"splunk-token": "hunter2x"}}}},
        {
            "host": {
                "Mounts": [{"Type": "volume", "Target": "/m", "VolumeOptions": {"DriverConfig": {"o": "hunter2x"}}}]
            }
        },
    ],
)
def test_secret_in_a_command_or_an_option_is_neither_declared_nor_shown(config: dict[str, Any]) -> None:
    raw = inspected(**config)
    found = body(raw)
    spec = declaring.declared(raw, found)
    assert (
        "hunter2x"
        not in f"{spec} {declaring.undeclared(found, spec)} {declaring.in_words(found, spec)} {settings(raw)}"
    )
    assert "hunter2x" in str(overlaid(found, before=spec, now=spec).payload), "the secret itself is kept"


def test_other_container_made_anew_is_no_change_of_this_one() -> None:
    one, other = (inspected(host={"NetworkMode": f"container:{number * 64}"}) for number in "12")
    assert settings(one) == settings(other)
    assert settings(one)["NetworkMode"] == '"container:another"'
