"""The main job, walked through on the stage: from requests over releases and notices to what runs at each customer.

Everything is asked of the running service as a user would ask it, and checked afterwards against the engine, the
store, the mail and the pages. A chapter that does not come true raises NotSoError.

What does not live here: the stage itself (`stage`), what is declared (`declared`), the table at the end (`report`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releaser.demo import declared
from releaser.demo.checks import Checks, NotSoError
from releaser.demo.repository import unbundle
from releaser.demo.stage import SHOP, Stage

ROLLOUT_WITHIN_S = 60
MAIL_WITHIN_S = 20
_ENDED = {"succeeded", "failed", "rolled_back", "aborted", "superseded"}
_TARGET_ENDED = {"succeeded", "already_installed", "skipped", "failed", "rolled_back", "inconsistent"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a customer asks for."""

    key: str
    customer: str
    title: str
    found_in: str


FIRST_REQUESTS = (
    Request(key="SHOP-4", customer="acme", title="Totals are a cent short", found_in="1.0"),
    Request(key="SHOP-5", customer="acme", title="Discount codes", found_in="1.0"),
    Request(key="SHOP-6", customer="severny", title="Цены без НДС вводят в заблуждение", found_in="1.0"),
    Request(key="SHOP-7", customer="severny", title="Каталог открывается медленно", found_in="1.0"),
)
LATER_REQUESTS = (
    Request(key="SHOP-11", customer="acme", title="An order lost its last item", found_in="1.1"),
    Request(key="SHOP-12", customer="severny", title="В письме с чеком знаки вопроса вместо букв", found_in="1.1"),
)
LAST_REQUEST = Request(key="SHOP-13", customer="acme", title="Settings are read from the old place", found_in="1.1.1")
REQUESTS = (*FIRST_REQUESTS, *LATER_REQUESTS, LAST_REQUEST)

# What a person adds before publishing, where the drafts from the history are only in the developers' language.
NOTES_1_1 = (
    ("SHOP-4", "ru", "Итоговая сумма заказа округляется правильно."),
    ("SHOP-5", "ru", "Появились промокоды со скидкой."),
    ("SHOP-6", "en", "Prices are shown with VAT in the catalogue and in the basket."),
    ("SHOP-9", "ru", "Корзина сохраняется при входе в учётную запись."),
    ("SHOP-10", "ru", "Заказы можно выгрузить в CSV."),
)
NOTES_1_1_1 = (
    ("SHOP-11", "ru", "Последний товар заказа больше не пропадает."),
    ("SHOP-12", "en", "Cyrillic letters in the receipt mail are readable again."),
)


@dataclass(slots=True)
class Told:
    """What the report needs to know of the story: its rollouts in order, and what was imported besides."""

    rollouts: list[dict[str, Any]] = field(default_factory=list)
    imported: str = ""


class Story:
    """One telling. The chapters build on each other, in the order of `tell`."""

    def __init__(self, stage: Stage, *, history: Path | None = None) -> None:
        """`history` is a big real repository to import as well, where there is one."""
        self.stage = stage
        self.check = Checks(stage)
        self.told = Told()
        self._history = history
        self._say, self._command = stage.screen.say, stage.screen.command
        self._service = stage.service

    def tell(self) -> Told:
        """All of it. Raises NotSoError, and what the service says no with."""
        self.declare()
        if self._history is not None:
            self.import_history(self._history)
        self.install()
        self.release_1_1()
        self.roll_out_1_1()
        self.patch()
        self.try_a_bad_one()
        self.look_at_the_pages()
        return self.told

    def declare(self) -> None:
        """Products, customers and installations from YAML, twice; the history; the requests."""
        self.stage.screen.chapter("Declare the product, two customers and three installations")
        files = declared.write(self.stage)
        text = "".join(file.read_text("utf-8") for file in files)
        self._command(f"apply -f {self.stage.folder.path.name}/{files[0].parent.name}")
        applied = self._service.post_text("/declaration", text)
        self._say(f"{len(applied['changes'])} objects were made; applying the same again changes nothing.")
        again = self._service.post_text("/declaration", text)
        self.check.equal(again["changes"], [], "what declaring the same again changes")
        customers = self._service.get("/customers")["items"]
        self.check.equal([one["name"] for one in customers], list(declared.CONTACTS), "the customers")
        self._command(f"collect {SHOP}")
        self._service.post(f"/products/{SHOP}/collect")
        releases = self._service.get(f"/products/{SHOP}/releases")["items"]
        self.check.equal([one["version"] for one in releases], ["1.0.1", "1.0"], "the releases found in the history")
        self._requests(FIRST_REQUESTS)

    def import_history(self, bundle: Path) -> None:
        """A big real history beside the sample's."""
        self.stage.screen.chapter("Import a real history of 40,000 commits")
        self._command(
            "product add jenkins --repo jenkins.git --tag-format 'jenkins-{version}' --ticket-pattern 'JENKINS-\\d+'"
        )
        repository = unbundle(bundle, self.stage.folder.repository / "jenkins.git")
        product = {"name": "jenkins", "title": "Jenkins", "repository": str(repository)}
        self._service.post(
            "/products", {**product, "tag_format": "jenkins-{version}", "ticket_patterns": [r"JENKINS-\d+"]}
        )
        self._command("collect jenkins")
        began = time.monotonic()
        collected = self._service.command("collect", "jenkins", bars=self.stage.screen.console.is_terminal)
        self.told.imported = "jenkins"
        self._say(
            f"{collected['commits']:,} commits, {collected['releases']:,} releases in {time.monotonic() - began:.1f} s."
        )
        self.check.that(collected["commits"] > 40_000, "all of the history is there")
        self.check.that(collected["releases"] > 1_000, "its tags are releases")
        self.check.page("/products/jenkins", "2.555")

    def install(self) -> None:
        """The first installation everywhere stops nothing, so nobody has to be told."""
        self.stage.screen.chapter("Install 1.0 everywhere")
        rollout = self._roll_out("1.0", notices=0)
        self.check.rollout(rollout, state="succeeded", targets=dict.fromkeys(declared.INSTALLATIONS, "succeeded"))
        self.check.runs(dict.fromkeys(declared.INSTALLATIONS, "1.0"))

    def release_1_1(self) -> None:
        """Cut, promote and publish the stable release."""
        self.stage.screen.chapter("Cut stable 1.1, promote it, publish it")
        self._pass_the_gate()
        self._release("1.1", kind="stable", notes=NOTES_1_1)
        fixed = {"SHOP-4", "SHOP-5", "SHOP-6", "SHOP-9", "SHOP-10"}
        self.check.page(f"/products/{SHOP}/releases/1.1", "Round totals half up", "Prices are shown with VAT", *fixed)
        self.check.page(f"/products/{SHOP}/releases/1.1", "Появились промокоды", "НДС", language="ru")
        self.check.silent(f"/products/{SHOP}/releases/1.1", "SHOP-7", "Cache the catalogue")
        self.check.feed(["1.1"])

    def _pass_the_gate(self) -> None:
        """The gate names the fix that was taken back; a person settles what becomes of it."""
        self._command(f"cut {SHOP} stable --gate")
        report = self._service.get(f"/products/{SHOP}/gate")
        holding = [(one["check"], one["ticket"]) for one in report["findings"] if one["holds"]]
        self.check.equal(holding, [("reverted", "SHOP-7")], "what holds the cut of 1.1")
        self._say("The gate holds it: the fix of SHOP-7 was taken back, and it is not fixed again.")
        reason = "comes with the next stable release"
        self._command(f"ticket override SHOP-7 1.1 wontfix --reason '{reason}'")
        word = {"line": "1.1", "status": "wontfix", "reason": reason}
        self._service.post("/tickets/SHOP-7/override", word, product=SHOP)
        self.check.that(not self._service.get(f"/products/{SHOP}/gate")["holds"], "nothing holds it any more")

    def roll_out_1_1(self) -> None:
        """Plan, tell the customers, roll out in two waves; the requests whose fix arrived are told so."""
        self.stage.screen.chapter("Plan the rollout of 1.1, tell the customers, roll out in two waves")
        rollout = self._roll_out("1.1", notices=1)
        self.check.rollout(rollout, state="succeeded", targets=dict.fromkeys(declared.INSTALLATIONS, "succeeded"))
        self.check.equal([one["state"] for one in rollout["waves"]], ["succeeded"] * 2, "the states of the waves")
        self.check.runs(dict.fromkeys(declared.INSTALLATIONS, "1.1"))
        self._measured(rollout)
        self._notice_ended(rollout)
        self._states({"SHOP-4": "solution_provided", "SHOP-5": "solution_provided", "SHOP-6": "solution_provided"})
        self._say("The requests SHOP-4, SHOP-5 and SHOP-6 are solved: their fix runs. SHOP-7 was reverted and waits.")
        self._states({"SHOP-7": "new"})
        self._command("ticket close SHOP-4 --as confirmed")
        self._service.post("/tickets/SHOP-4/close", {"reason": "confirmed"})
        self._states({"SHOP-4": "closed"})

    def patch(self) -> None:
        """Two fixes on the line, as 1.1.1."""
        self.stage.screen.chapter("Two fixes come in: cut patch 1.1.1 and roll it out")
        self._requests(LATER_REQUESTS)
        self.stage.repository.add_hotfixes()
        self._release("1.1.1", kind="patch", notes=NOTES_1_1_1)
        rollout = self._roll_out("1.1.1", notices=1)
        self.check.rollout(rollout, state="succeeded", targets=dict.fromkeys(declared.INSTALLATIONS, "succeeded"))
        self.check.runs(dict.fromkeys(declared.INSTALLATIONS, "1.1.1"))
        self._measured(rollout)
        self._notice_ended(rollout)
        self._states({"SHOP-11": "solution_provided", "SHOP-12": "solution_provided"})

    def try_a_bad_one(self) -> None:
        """1.1.2 never becomes healthy: the canary goes back by itself, nobody else is touched, and everybody is told."""
        self.stage.screen.chapter("Try 1.1.2, which never becomes healthy")
        self._requests([LAST_REQUEST])
        self.stage.repository.add_bad_change()
        self._release("1.1.2", kind="patch", notes=())
        rollout = self._roll_out("1.1.2", notices=1)
        ends = dict.fromkeys(declared.INSTALLATIONS, "skipped") | {declared.CANARY: "rolled_back"}
        self.check.rollout(rollout, state="rolled_back", targets=ends)
        canary = next(one for one in rollout["targets"] if one["installation"] == declared.CANARY)
        self.check.that("404" in canary["reason"], "the roll-back names what was seen")
        self._say(f"{declared.CANARY} was rolled back by itself: {canary['reason']}.")
        self._say(f"The rollout stopped there: {rollout['reason']}.")
        self.check.runs(dict.fromkeys(declared.INSTALLATIONS, "1.1.1"))
        self._notice_called_off(rollout)
        self._states({"SHOP-13": "new", "SHOP-11": "solution_provided"})
        self._command(f"yank {SHOP} 1.1.2 --reason 'never becomes healthy; use 1.1.1'")
        yanked = self._service.post(
            f"/products/{SHOP}/releases/1.1.2/yank", {"reason": "It never becomes healthy; use 1.1.1."}
        )
        self.check.equal(yanked["state"], "yanked", "the state of 1.1.2")

    def look_at_the_pages(self) -> None:
        """Every page the report names, in both languages."""
        self.stage.screen.chapter("Look at the pages")
        self.check.page("/", "1.1.1", *declared.TITLES.values())
        self.check.page(f"/products/{SHOP}", "1.1.1", "1.1", "1.0.1")
        for rollout in self.told.rollouts:
            self.check.page(f"/rollouts/{rollout['id']}", rollout["version"])
        self.check.page("/notices", "1.1")
        self.check.page("/notices", "1.1", language="ru")
        for request in REQUESTS:
            self.check.page(f"/products/{SHOP}/tickets/{request.key}", request.title)
        self.check.feed(["1.0", "1.1", "1.1.1"])

    def _requests(self, requests: Sequence[Request]) -> None:
        for one in requests:
            self._command(f"ticket add {one.key} --product {SHOP} --customer {one.customer} --title '{one.title}'")
            body = {"key": one.key, "customer": one.customer, "title": one.title, "found_in": one.found_in}
            self._service.post("/tickets", {"product": SHOP, **body})

    def _release(self, version: str, *, kind: str, notes: Sequence[tuple[str, str, str]]) -> None:
        """Cut, write notes, promote, publish; each is looked at afterwards."""
        path = f"/products/{SHOP}/releases"
        line = {"line": "1.1"} if kind == "patch" else {}
        self._command(f"cut {SHOP} {kind}" + (" --line 1.1" if line else ""))
        candidate = self._service.post(path, {"kind": kind, **line})
        self.check.equal((candidate["version"], candidate["state"]), (version, "candidate"), "what was cut")
        digests = [one["digest"] for one in candidate["images"]]
        self.check.equal(digests, [self.stage.digests[version]], f"the images of {version}")
        tagged = self.stage.repository.head(candidate["tag"])
        self.check.equal(tagged, candidate["commit"], f"the commit of the tag {candidate['tag']} in the repository")
        for ticket, language, text in notes:
            self._service.put(f"{path}/{version}/notes/{ticket}/{language}", {"text": text})
        self._command(f"promote {SHOP} {version}")
        promoted = self._service.post(f"{path}/{version}/promote")
        self.check.equal(promoted["state"], "promoted", f"the state of {version}")
        self._command(f"publish {SHOP} {version}")
        published = self._service.post(f"{path}/{version}/publish")
        self.check.equal(published["state"], "published", f"the state of {version}")
        for file in published["files"]:
            self.check.that(Path(file).stat().st_size, f"the file {file} was written")
        self._say(
            f"Tag {candidate['tag']} at {tagged[:10]}; files: {', '.join(Path(file).name for file in published['files'])}."
        )

    def _roll_out(self, version: str, *, notices: int) -> dict[str, Any]:
        """Plan, announce what the plan asks for and see it arrive, start, follow to the end."""
        what = {"product": SHOP, "version": version, "to": "all", "waves": ["1", "100%"]}
        self._command(f"plan {SHOP} {version} --to all --waves 1,100%")
        plan = self._service.post("/plans", {**what, "starts_at": datetime.now(UTC).isoformat()}, save="true")
        self.check.equal(len(plan["notices"]), notices, f"the number of notices drafted for {version}")
        self.check.equal({one["wave"] for one in plan["targets"]}, {1, 2}, "the waves of the plan")
        for number in plan["notices"]:
            self._announce(number)
        self._command(f"deploy {SHOP} {version} --to all --waves 1,100% --wait healthy")
        started = self._service.post("/rollouts", what, key=f"demo-{version}")
        self.check.equal(started["id"], plan["rollout"], "the rollout that was planned and the one that began")
        rollout = self._follow(started["id"])
        self.told.rollouts.append(rollout)
        return rollout

    def _announce(self, number: int) -> None:
        self._command(f"notice announce {number}")
        self._service.post(f"/notices/{number}/announce")
        notice = self._delivered(number, "announced")
        mails = self.check.told(notice, kinds=["announced"])
        self.check.equal({mail.recipient for mail in mails}, set(declared.CONTACTS.values()), "who was told")
        for mail in mails:
            types = [part.get_content_type() for part in mail.message.walk()]
            for wanted in ("text/plain", "text/html", "text/calendar"):
                self.check.that(wanted in types, f"{mail.path.name} has a part of type {wanted}")
            self._say(f"{mail.path.name}: {mail.subject}")
        russian = [mail.subject for mail in mails if mail.recipient == declared.CONTACTS["severny"]]
        self.check.that(all(_is_russian(subject) for subject in russian), "the Russian customer is told in Russian")

    def _delivered(self, number: int, kind: str) -> dict[str, Any]:
        """The notice, once everybody has been told this kind of news."""
        until = time.monotonic() + MAIL_WITHIN_S
        while True:
            notice: dict[str, Any] = self._service.get(f"/notices/{number}")
            states = [one["state"] for one in notice["deliveries"] if one["kind"] == kind]
            if states and set(states) == {"sent"}:
                return notice
            if time.monotonic() > until:
                raise NotSoError(
                    f"Within {MAIL_WITHIN_S} s not everybody was told that notice {number} is {kind}: {states}.",
                    permanent=False,
                )
            time.sleep(0.1)

    def _follow(self, number: int) -> dict[str, Any]:
        """The rollout, once it has ended."""
        until = time.monotonic() + ROLLOUT_WITHIN_S
        with self.stage.screen.bar(f"rollout {number}") as report:
            while True:
                rollout: dict[str, Any] = self._service.get(f"/rollouts/{number}")
                done = [one for one in rollout["targets"] if one["state"] in _TARGET_ENDED]
                report(len(done), len(rollout["targets"]))
                if rollout["state"] in _ENDED:
                    return rollout
                if time.monotonic() > until:
                    raise NotSoError(f"Rollout {number} did not end within {ROLLOUT_WITHIN_S} s.", permanent=False)
                time.sleep(0.1)

    def _measured(self, rollout: Mapping[str, Any]) -> None:
        """What was planned to stop did, for less than planned; what was not, did not."""
        for one in rollout["targets"]:
            name, planned, measured = one["installation"], one["planned_stop_s"], one["measured_stop_s"]
            if name == declared.CANARY:
                self.check.that(not planned and not measured, f"{name} did not stop")
                self._say(f"{name}: no stop.")
            else:
                self.check.that(planned and measured and measured > 0, f"the stop of {name} was planned and measured")
                self._say(f"{name}: stop planned {planned:.1f} s, measured {measured:.1f} s.")

    def _notice_called_off(self, rollout: Mapping[str, Any]) -> None:
        """Nobody's service stopped, so the planned work never began, and whoever was told of it hears that it will not take place."""
        for number in rollout["notices"]:
            notice = self._delivered(number, "cancelled")
            self.check.equal(notice["state"], "cancelled", f"the state of notice {number}")
            self.check.told(notice, kinds=["announced", "cancelled"])
            self.check.page(f"/notices/{number}", rollout["version"])

    def _notice_ended(self, rollout: Mapping[str, Any]) -> None:
        for number in rollout["notices"]:
            notice = self._delivered(number, "done")
            self.check.equal(notice["state"], "completed", f"the state of notice {number}")
            self.check.told(notice, kinds=["announced", "started", "done"])
            self.check.page(f"/notices/{number}", rollout["version"])

    def _states(self, expected: Mapping[str, str]) -> None:
        """The requests are in these states, or come to be within a moment: the worker tells them."""
        until = time.monotonic() + 10
        while True:
            found = {key: self._service.get(f"/tickets/{key}")["state"] for key in expected}
            if found == expected or time.monotonic() > until:
                break
            time.sleep(0.1)
        self.check.equal(found, dict(expected), "the states of the requests")


def _is_russian(text: str) -> bool:
    return any("а" <= letter <= "я" for letter in text.lower())
