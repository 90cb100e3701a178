from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from releaser.demo import install
from releaser.demo.engine import MissingProgramError, PrivateEngine, RunningEngine
from tests import needs


def test_program_that_is_there_is_not_missing() -> None:
    assert "git" in install.PACKAGES
    assert install.missing(["git"]) == ()


def test_nothing_missing_installs_nothing_and_says_nothing() -> None:
    said: list[str] = []
    install.install((), say=said.append)
    assert said == []


def test_missing_programs_are_named_in_one_line() -> None:
    error = MissingProgramError("dockerd", "docker-registry", packages=("docker.io", "docker-registry"))
    assert str(error) == (
        "Not on this machine: dockerd, docker-registry. Install the packages docker.io docker-registry."
    )


def test_policy_holds_while_packages_are_set_up_and_goes_afterwards(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with install._no_services_started(policy):
        assert subprocess.run([policy], check=False).returncode == 101
    assert not policy.exists()


def test_policy_of_a_killed_run_stops_nobody(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with install._no_services_started(policy):
        ended = subprocess.Popen(["true"])
        ended.wait()
        left = policy.read_text().replace(f"/proc/{os.getpid()} ", f"/proc/{ended.pid} ")
        policy.write_text(left)
        assert subprocess.run([policy], check=False).returncode == 0


def test_policy_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\n")
    with install._no_services_started(policy):
        pass
    assert policy.read_text() == "#!/bin/sh\n"


def test_engine_that_answers_is_used_and_said(engine: PrivateEngine, registry_program: None, tmp_path: Path) -> None:
    said: list[str] = []
    chosen = install.open_engine(tmp_path, say=said.append, environ={"DOCKER_HOST": engine.address})
    assert isinstance(chosen, RunningEngine)
    assert said == [f"Using the container engine at {engine.address}."]


def test_no_engine_gives_one_of_our_own(docker_programs: None, registry_program: None, tmp_path: Path) -> None:
    said: list[str] = []
    chosen = install.open_engine(tmp_path, say=said.append, environ={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert isinstance(chosen, PrivateEngine)
    assert said == ["No container engine answers; starting one of our own."]


def test_no_engine_and_no_root_is_told_in_one_line(tmp_path: Path) -> None:
    needs.root(why="it gives that up to try how it is without")
    asked = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from releaser.demo.install import NoEngineError, open_engine\n"
        "os.setuid(65534)\n"
        "try:\n"
        "    open_engine(Path(sys.argv[1]), say=print, environ={'DOCKER_HOST': 'unix:///nowhere/docker.sock'})\n"
        "except NoEngineError as error:\n"
        "    print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", asked, str(tmp_path)], capture_output=True, check=True, text=True)
    assert said.stdout.count("\n") == 1
    assert "needs root" in said.stdout
