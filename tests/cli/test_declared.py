from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import DECLARED, Cli
from tests.fakes.git_world import GitWorld

ADDRESS = "unix:///run/engine.sock"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "declared.yaml"
    found.write_text(DECLARED.replace("ENGINE", ADDRESS))
    return found


def test_difference_is_shown_applied_once_and_then_nothing(cli: Cli, file: Path) -> None:
    shown = cli("apply", "-f", str(file), "--dry-run")
    assert (shown.code, "+ product shop" in shown.out, "Would be: 8 created." in shown.out) == (0, True, True), shown
    assert cli.facts("product", "list") == []
    assert "Done: 8 created." in cli("apply", "-f", str(file)).out
    assert cli("apply", "-f", str(file)).out == "No change.\n"
    file.write_text(file.read_text().replace("ring: wide", "ring: early"))
    assert 'ring: "wide" -> "early"' in cli("apply", "-f", str(file)).out


def test_what_is_exported_is_applied_again_without_change(cli: Cli, file: Path, tmp_path: Path) -> None:
    assert cli("apply", "-f", str(file)).code == 0
    out = tmp_path / "out.yaml"
    assert cli("export", "-f", str(out)).out == ""
    assert cli("apply", "-f", str(out), "--prune").out == "No change.\n"
    assert cli("export").out == out.read_text()
    assert cli("apply", "-f", "-", given=cli("export", "-o", "json").out).out == "No change.\n"


def test_what_is_left_out_is_left_alone_or_pruned(cli: Cli, file: Path, tmp_path: Path) -> None:
    assert cli("apply", "-f", str(file)).code == 0
    less = tmp_path / "less.yaml"
    less.write_text("customers: [{name: acme, contacts: [{email: operations@acme.example}]}]")
    assert "Left alone" in cli("apply", "-f", str(less)).out
    pruned = cli("apply", "-f", str(less), "--prune")
    assert "- installation acme-shop" in pruned.out
    assert cli.facts("installation", "list") == []


def test_mistakes_are_told_with_file_line_and_column(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.yaml").write_text("customers:\n  - name: acme\n    languag: ru\n")
    ran = cli("apply", "-f", str(folder))
    assert ran.code == 2
    assert f"{folder / 'a.yaml'}:3:5" in ran.err
    assert "Did you mean 'language'?" in ran.err
    problem = cli("apply", "-f", str(folder), "-o", "json").problem
    assert problem["facts"]["problems"][0]["line"] == 3
    assert cli("apply", "-f", str(tmp_path / "none.yaml")).code == 2


def test_product_is_added_as_scripts_do_it(cli: Cli, tmp_path: Path) -> None:
    GitWorld(tmp_path / "jenkins.git")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path)
        facts = cli.facts(
            "product", "add", "jenkins", "--repo", "jenkins.git", "--tag-format", "jenkins-{version}",
            "--ticket-pattern", "JENKINS-\\d+", "--module", "app=registry.test/app:{version}",
            "--module", "web=registry.test/web:{version}", "--first-train", "2026-03-02", "--title", "Jenkins",
        )  # fmt: skip
    assert facts["repository"] == str(tmp_path / "jenkins.git")
    assert (facts["tag_format"], facts["ticket_patterns"]) == ("jenkins-{version}", ["JENKINS-\\d+"])
    assert {one["name"]: one["image"] for one in facts["modules"]}["web"] == "registry.test/web:{version}"
    assert facts["first_train_on"] == "2026-03-02"
    assert cli("product", "add", "jenkins", "--repo", "x").code == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("product", "add", "A b", "--repo", "x"), "name: 'A b' is no name."),
        (("product", "add", "a", "--repo", "x", "--module", "app"), "no name=value"),
        (("product", "add", "a", "--repo", "x", "--module", "a=r/x", "--module", "a=r/y"), "given twice"),
        (("product", "add", "a", "--repo", "x", "--first-train", "soon"), "no date"),
        (("product", "add", "a", "--repo", "x", "--tag-format", "v"), "tag_format:"),
        (("customer", "add", "a", "--contact", "nobody"), "contacts[0].email:"),
        (("installation", "add", "a", "--customer", "none", "--product", "none"), "customer:"),
        (("installation", "add", "a", "--customer", "c", "--product", "p", "--target", "x"), "web@cloud-1"),
        (("installation", "add", "a", "--customer", "c", "--product", "p", "--port", "x:y"), "cannot be read"),
    ],
)
def test_what_is_wrong_with_one_thing_is_told_in_its_own_words(cli: Cli, words: tuple[str, ...], said: str) -> None:
    ran = cli(*words)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert said in ran.err
    assert "[0].name" not in ran.err


def test_backup_is_taken_verified_and_put_back(cli: Cli, tmp_path: Path) -> None:
    cli.facts("customer", "add", "acme")
    made = cli.facts("backup", str(tmp_path))["backup"]
    assert cli.facts("verify", made)["ok"] is True
    cli.facts("customer", "add", "globex")
    assert cli("restore", made).code == 3
    cli.facts("restore", made, "--force")
    assert [one["name"] for one in cli.facts("customer", "list")] == ["acme"]
    Path(made).write_bytes(Path(made).read_bytes()[:-200])
    assert cli("verify", made).code == 2


def test_doctor_tells_what_is_wrong_and_ends_with_1(cli: Cli, file: Path) -> None:
    assert cli("doctor").code == 1  # no database yet
    cli.facts("product", "list")
    assert cli("doctor").code == 0
    cli("apply", "-f", str(file))
    ran = cli("doctor", "-o", "json")
    assert ran.code == 1
    assert {one["name"]: one["ok"] for one in ran.facts}["host host-1"] is False
