"""What stands around the product: dependencies and their lock, the build, workflows, deployment files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SHIPPED = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
TOOLS = [
    Requirement(line)
    for line in (*PROJECT["project"]["optional-dependencies"]["demo"], *PROJECT["dependency-groups"]["dev"])
]
LOCKS = {"requirements.lock": SHIPPED, "requirements-dev.lock": [*SHIPPED, *TOOLS]}


def locked(name: str) -> dict[str, tuple[Version, str]]:
    """Name of a package -> its version and its lines of the lock."""
    text = (ROOT / name).read_text("utf-8")
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    pins = ((block.split("==", 1), block) for block in blocks)
    return {head[0]: (Version(re.split(r"[\s;]", head[1], maxsplit=1)[0]), block) for head, block in pins}


@pytest.mark.parametrize(("name", "wanted"), LOCKS.items())
def test_lock_has_what_the_project_declares(name: str, wanted: list[Requirement]) -> None:
    pins = locked(name)
    behind = [
        str(requirement)
        for requirement in wanted
        if (pin := pins.get(canonicalize_name(requirement.name))) is None or not requirement.specifier.contains(pin[0])
    ]
    assert behind == [], "run `make lock`"


@pytest.mark.parametrize(("name", "wanted"), LOCKS.items())
def test_lock_has_nothing_that_is_declared_no_more(name: str, wanted: list[Requirement]) -> None:
    declared = {canonicalize_name(requirement.name) for requirement in wanted}
    direct = {package for package, (_, block) in locked(name).items() if "(pyproject.toml" in block}
    assert direct - declared == set(), "run `make lock`"


@pytest.mark.parametrize("name", LOCKS)
def test_lock_pins_every_package_by_hash(name: str) -> None:
    assert [package for package, (_, block) in locked(name).items() if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_host(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*--(?:index|extra|find|trusted)", text, flags=re.MULTILINE)


def test_locks_agree() -> None:
    shipped, everything = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {package: pin[0] for package, pin in shipped.items() if everything[package][0] != pin[0]} == {}


def test_every_exception_from_a_linter_has_its_reason() -> None:
    lines = (ROOT / "pyproject.toml").read_text("utf-8").splitlines()
    without = [
        line
        for before, line in pairwise(lines)
        if re.match(r'\s+"[A-Z]+\d*",', line) and "#" not in line and not re.match(r'\s+(#|"[A-Z]+\d*",$)', before)
    ]
    assert without == []


def test_workflows_pin_actions_by_commit_and_ask_for_little() -> None:
    workflows = list((ROOT / ".github" / "workflows").glob("*.yml"))
    assert workflows
    for path in workflows:
        text = path.read_text("utf-8")
        uses = re.findall(r"uses:\s*(\S+)", text)
        assert uses
        assert [name for name in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name)] == []
        assert yaml.safe_load(text)["permissions"] == {}
        assert text.count("actions/checkout@") == text.count("persist-credentials: false")


def test_scripts_are_sound_shell() -> None:
    for path in (ROOT / ".ci").iterdir():
        subprocess.run(["sh", "-n", str(path)], check=True)
        # `uv` is read into the others, the rest is called.
        assert os.access(path, os.X_OK) == (path.name != "uv"), path.name


def test_every_make_target_is_in_the_help() -> None:
    make = shutil.which("make")
    assert make
    text = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", text, flags=re.MULTILINE))
    shown = subprocess.run([make, "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert set(re.findall(r"^\s+make ([a-z-]+)", shown, flags=re.MULTILINE)) == targets


def test_installing_nothing_that_is_missing_stays_silent() -> None:
    done = subprocess.run(
        [str(ROOT / ".ci" / "packages"), "coreutils:ls", "make"], check=True, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_wheel_holds_all_that_the_product_reads(tmp_path: Path) -> None:
    build = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    with zipfile.ZipFile(tmp_path / done.stdout.split()[-1]) as wheel:
        held = set(wheel.namelist())
    kept = subprocess.run(
        ["git", "ls-files", "-z", "releaser"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    assert {name for name in kept if name and (ROOT / name).exists()} - held == set()
    assert [name for name in held if name.endswith(".dist-info/licenses/LICENSE")]


def dockerfile() -> list[str]:
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_image_is_built_in_stages_on_a_base_one_can_choose() -> None:
    stages = [line for line in dockerfile() if line.startswith("FROM ")]
    assert dockerfile()[0].startswith("ARG BASE=")
    assert stages[0] == "FROM ${BASE} AS base"
    assert len(stages) > 2


def test_image_runs_as_nobody_in_particular_from_the_lock() -> None:
    lines = dockerfile()
    last = lines[max(index for index, line in enumerate(lines) if line.startswith("FROM ")) :]
    users = [line.split()[1] for line in last if line.startswith("USER ")]
    assert users
    assert users[-1] not in {"0", "root"}
    assert not [line for line in last[last.index(f"USER {users[-1]}") :] if line.startswith("RUN ")]
    assert [line for line in lines if "--require-hashes --requirement requirements.lock" in line]
    assert [line for line in last if line.startswith("HEALTHCHECK ") and "/healthz" in line]


def test_image_is_built_from_files_that_are_let_in() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = {
        name
        for line in dockerfile()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    }
    assert copied == let_in
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_compose_file_opens_the_service_to_this_machine_only() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    service = compose["services"]["releaser"]
    assert (ROOT / "deploy" / service["build"]["context"] / service["build"]["dockerfile"]).resolve().is_file()
    assert service["network_mode"] == "host"
    assert "ports" not in service
    assert service["environment"]["RELEASER_HOST"] == "127.0.0.1"


def test_compose_file_sets_only_settings_that_exist() -> None:
    from releaser.settings import Settings  # noqa: PLC0415 - the other tests here need nothing of the product

    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    known = {f"RELEASER_{name.upper()}" for name in Settings.model_fields}
    assert set(compose["services"]["releaser"]["environment"]) <= known


@pytest.mark.parametrize("name", ["compose.yaml", "Dockerfile", "releaser.service"])
def test_deployment_files_hold_no_password(name: str) -> None:
    text = (DEPLOY / name).read_text("utf-8")
    assert not re.search(r"(?i)(?:password|secret|token)\s*[:=]\s*[^\s$]", text)
    assert not re.search(r"://[^/\s:@]+:[^/\s@]+@", text)
