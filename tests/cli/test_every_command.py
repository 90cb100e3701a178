"""Every command: its help has an example, its JSON is JSON. One journey through a product's life calls them all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from releaser.cli.main import COMMANDS
from releaser.cli.whole import app
from tests.cli.conftest import DECLARED, Cli, Ran
from tests.fakes.engine import FakeEngine
from tests.fakes.git_world import GitWorld


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 -- typer keeps its classes to itself
    """Every command that does something, by its words."""
    if not hasattr(command, "list_commands"):
        yield path
        return
    context = typer.Context(command)
    for name in command.list_commands(context):
        yield from leaves(command.get_command(context, name), (*path, name))


EVERY = list(leaves(typer.main.get_command(app)))

# In order; {…} are filled in from what came before. A number in front is the exit code where it is not 0.
JOURNEY: list[tuple[int, str]] = [
    (
        0,
        "product add shop --repo {repo} --ticket-pattern SHOP-\\d+ --line-branch line-{{line}} --first-train 2026-03-03",
    ),
    (0, "product list"),
    (0, "product show shop"),
    (0, "line list shop"),
    (2, "line show shop 1.0"),
    (0, "line set shop 1.0 --policy open"),
    (0, "customer add acme --contact operations@acme.example --language ru"),
    (0, "customer list"),
    (0, "customer show acme"),
    (0, "collect shop"),
    (0, "release list shop"),
    (0, "release show shop 1.0"),
    (0, "ticket add SHOP-2 --product shop --customer acme --title Basket --found-in 1.0"),
    (0, "ticket list --product shop"),
    (0, "ticket mark SHOP-2 --product shop --as fix"),
    (0, "ticket block SHOP-77 --product shop --reason worse"),
    (0, "ticket blockers --product shop"),
    (0, "ticket unblock SHOP-77 --product shop --reason better"),
    (0, "cut shop stable"),
    (0, "cut status"),
    (0, "tag alarms"),
    (2, "tag accept shop v1.0 --reason none"),
    (0, "note write shop 1.1 SHOP-2 --text Mended"),
    (0, "note list shop 1.1"),
    (0, "note show shop 1.1"),
    (0, "note embargo shop SHOP-2 --until 2095-03-01T00:00+03:00"),
    (0, "note embargoes shop"),
    (0, "note embargo shop SHOP-2 --lift"),
    (0, "promote shop 1.1"),
    (0, "publish shop 1.1"),
    (0, "changelog --product shop 1.1"),
    (0, "note history shop 1.1 SHOP-2"),
    (2, "note withdraw shop 1.1 SHOP-2"),
    (0, "changelog --repo {repo} --all"),
    (0, "contains SHOP-2 --repo {repo}"),
    (0, "backports --repo {repo}"),
    (0, "upgrade 1.0 1.1 --repo {repo}"),
    (0, "upgrade shop 1.0 1.1"),
    (0, "contains SHOP-2 --product shop"),
    (0, "backports --product shop"),
    (0, "release stop shop 1.0 --reason converts"),
    (0, "release stop shop 1.0 --clear"),
    (0, "release one-way shop 1.0 --reason converts"),
    (0, "release one-way shop 1.0 --clear"),
    (5, "release unblock shop 1.0 --reason mended"),
    (0, "feed shop"),
    (0, "ticket show SHOP-2"),
    (0, "ticket override SHOP-2 1.0 wontfix --reason old"),
    (0, "ticket withdraw-override SHOP-2 1.0 --reason young"),
    (0, "ticket found-in SHOP-2 1.0 --first"),
    (0, "ticket planned-for SHOP-2 3.0"),
    (0, "history shop"),
    (0, "matrix shop --gaps"),
    (0, "evidence SHOP-2"),
    (0, "ticket close SHOP-2"),
    (0, "ticket reopen SHOP-2 --reason again"),
    (0, "cut shop patch --line 1.0"),
    (0, "abandon shop 1.0.1 --reason wrong"),
    (0, "yank shop 1.1 --reason worse"),
    (0, "train list shop"),
    (0, "train plan shop SHOP-2 2095-03-01"),
    (0, "train plans shop"),
    (0, "train skip shop 2095-03-01 --reason holidays"),
    (0, "train restore shop 2095-03-01 --reason worked"),
    (3, "train shift shop next 1999-12-31 --reason fair"),
    (0, "train calendar shop"),
    (0, "freeze show shop"),
    (3, "freeze except shop SHOP-2 --approver olga --reason law"),
    (2, "freeze revoke shop 7 --reason late"),
    (2, "freeze state shop 7777777 --reason log"),
    (0, "apply -f {declared}"),
    (0, "export"),
    (3, "product remove shop"),
    (0, "host list"),
    (0, "installation add own --customer acme --product shop --ring canary --target app@host-1 --port 0:80"),
    (0, "installation list"),
    (0, "installation show own"),
    (8, "installation adopt taken --customer acme --product shop --host host-1 --container nobody --dry-run"),
    (5, "installation accept-drift own --reason meant"),
    (5, "installation unpin own --reason over"),
    (3, "installation add-instance own --module app --dry-run"),
    (2, "installation resize own --module app --memory much --dry-run"),
    (0, "doctor"),
    (2, "plan shop 1.0 --to installation=own --dry-run"),
    (3, "deploy shop 1.1 --to installation=own"),
    (2, "rollout show 77"),
    (0, "rollout list"),
    (2, "rollout targets 99"),
    (0, "rollout cutovers"),
    (2, "rollout cutovers --product nothing"),
    (2, "rollout follow 77"),
    (2, "rollout pause 77"),
    (2, "rollout resume 77"),
    (2, "rollout abort 77"),
    (2, "rollout retry 77"),
    (2, "rollout approve 77"),
    (2, "rollout consent 77 --who Ann"),
    (2, "rollout consent 77 --no --who Ann"),
    (0, "update-freeze add --customer acme --until 2999-01-09T00:00+03:00 --reason holidays"),
    (2, "update-freeze add --all --customer acme --until 2999-01-09T00:00+03:00 --reason holidays"),
    (0, "update-freeze list"),
    (2, "update-freeze override 1 --rollout 77 --by rita --reason fix"),
    (0, "update-freeze lift 1 --reason over"),
    (0, "notice list"),
    (2, "notice show 77"),
    (2, "notice announce 77"),
    (2, "notice cancel 77 --reason none"),
    (2, "notice replay 77"),
    (0, "backup {backup}"),
    (0, "verify {backup}"),
    (3, "restore {backup}"),
    (0, "restore {backup} --force"),
    (3, "serve --host 192.0.2.1"),
    (2, "worker --database-url mysql://nowhere"),
]


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """What every call of the journey answered, with `-o json`."""
    folder = tmp_path_factory.mktemp("journey")
    remote = GitWorld(folder / "remote.git")
    first = remote.commit("Begin", branch="main")
    remote.tag("v1.0", first, annotated=True)
    second = remote.commit("SHOP-2: basket loses items\x1b[2J", first, branch="main")
    remote.commit("feat: search", second, branch="main")
    remote.branch("line-1.0", remote.commit("SHOP-2: basket loses items", first))
    cli = Cli(home=folder / "home")
    answered: dict[str, Ran] = {}
    with FakeEngine() as engine:
        declared = folder / "declared.yaml"
        text = DECLARED.replace("ENGINE", engine.address)
        text = text.replace("https://git.example.com/shop.git", str(remote.folder)).replace(
            "'registry.test/shop:{version}'", "''"
        )
        declared.write_text(text)
        places = {"repo": str(remote.folder), "declared": str(declared), "backup": str(folder / "backup.zip")}
        for _, line in JOURNEY:
            answered[line] = cli(*line.format(**places).split(), "-o", "json")
    return answered


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_help_of_a_command_tells_what_it_does_and_gives_an_example(cli: Cli, command: tuple[str, ...]) -> None:
    ran = cli(*command, "--help")
    assert (ran.code, ran.err) == (0, "")
    words = " ".join(ran.out.split())
    assert re.search(rf"Examples?: releaser {' '.join(command)}\b", words), ran.out
    assert "--output" in words
    assert all(len(line) <= 80 for line in ran.out.splitlines())


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_options_are_explained(command: tuple[str, ...]) -> None:
    found: Any = typer.main.get_command(app)
    for word in command:
        found = found.get_command(typer.Context(found), word)
    assert [one.name for one in found.params if not getattr(one, "help", "")] == []


def test_journey_calls_every_command() -> None:
    called = {tuple(line.split()) for _, line in JOURNEY}
    missed = [words for words in EVERY if not any(one[: len(words)] == words for one in called)]
    assert missed == []


@pytest.mark.parametrize(("code", "line"), JOURNEY, ids=[line for _, line in JOURNEY])
def test_every_command_answers_in_json(journey: dict[str, Ran], code: int, line: str) -> None:
    ran = journey[line]
    assert ran.code == code, ran
    text = ran.err if code else ran.out
    assert json.loads(text) is not None
    assert (ran.out if code else ran.err) == ""
    assert "\x1b" not in ran.out + ran.err


@pytest.mark.parametrize("name", COMMANDS)
def test_list_of_commands_tells_of_each_what_it_tells_of_itself(name: str) -> None:
    command: Any = typer.main.get_command(app)
    found = command.get_command(typer.Context(command), name)
    told, itself = (re.findall(r"\w+", text.lower()) for text in (COMMANDS[name][1], found.help))
    assert told[:3] == itself[:3]


def test_list_of_commands_and_groups_are_helped(cli: Cli) -> None:
    ran = cli("--help")
    assert ran.code == 0
    assert all(f"  {name} " in ran.out for name in COMMANDS)
    for name in {words[0] for words in EVERY if len(words) > 1}:
        assert cli(name, "--help").code == 0
        silent = cli(name)
        assert (silent.code, silent.out) == (2, "")
        assert silent.err.startswith("Usage:")


def test_home_is_only_for_its_owner(journey: dict[str, Ran], tmp_path_factory: pytest.TempPathFactory) -> None:
    made = Path(journey["backup {backup}"].facts["backup"])
    assert made.stat().st_mode & 0o077 == 0
