"""What must be true after each chapter, asked of the engine, the store, the mail that came and the pages.

The product is not believed: what runs is asked of the engine and of the application itself, what was sent is read in
the mailbox, what is shown is fetched like any reader does.
"""

from __future__ import annotations

import html
import http.client
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from typing import Any

from releaser.demo.mailbox import Mail
from releaser.demo.ports import LOOPBACK
from releaser.demo.stage import SHOP, VERSION_LABEL, Stage
from releaser.errors import OutsideError

ATOM = "{http://www.w3.org/2005/Atom}"


class NotSoError(OutsideError):
    """Something that should have happened did not."""


class Checks:
    """Counts what was found to be so; the first thing that is not raises NotSoError."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.count = 0

    def that(self, fact: object, message: str) -> None:
        """Hold only if `fact` is true; `message` tells what is expected."""
        if not fact:
            raise NotSoError(f"Not so: {message}.", permanent=True, advice=f"See {self.stage.folder.path}.")
        self.count += 1

    def equal(self, found: object, expected: object, what: str) -> None:
        """Hold only if `found` is `expected`."""
        self.that(found == expected, f"{what} should be {expected!r}, and is {found!r}")

    def runs(self, expected: Mapping[str, str]) -> None:
        """Exactly these containers are there, each running that version's digest and answering with it; the store agrees."""
        unique = self.stage.engine.unique
        self.equal(self.stage.containers(), sorted(map(unique, expected)), "the list of containers on the engine")
        for name, version in expected.items():
            found = self.stage.container(name)
            self.equal(found["State"]["Status"], "running", f"the state of container {name}")
            self.equal(found["Config"]["Labels"].get(VERSION_LABEL), version, f"the image's version in {name}")
            wanted = f"{self.stage.image}@{self.stage.digests[version]}"
            self.equal(found["Config"]["Image"], wanted, f"the image that {name} runs")
            self.equal(answer_of(found), version, f"what the application in {name} says it is")
        recorded = {
            one["name"]: [target["version"] for target in one["targets"]]
            for one in self.stage.service.get("/installations")["items"]
        }
        self.equal(recorded, {name: [version] for name, version in expected.items()}, "what is recorded to run")

    def rollout(self, facts: Mapping[str, Any], *, state: str, targets: Mapping[str, str]) -> None:
        """The rollout ended so, and so did each of its targets."""
        self.equal(facts["state"], state, f"the state of rollout {facts['id']} of {facts['version']}")
        found = {one["installation"]: one["state"] for one in facts["targets"]}
        self.equal(found, dict(targets), f"how rollout {facts['id']} ended at each installation")

    def told(self, notice: Mapping[str, Any], *, kinds: Iterable[str]) -> list[Mail]:
        """Every delivery of the notice of these kinds was sent, and arrived once at the right address; returns the mails."""
        deliveries = [one for one in notice["deliveries"] if one["kind"] in set(kinds)]
        arrived = [(str(mail.message["Message-ID"]).strip(), mail) for mail in self.stage.mailbox.messages()]
        mails = []
        for one in deliveries:
            self.equal(one["state"], "sent", f"the state of the mail '{one['kind']}' to {one['address']}")
            mine = [mail for message_id, mail in arrived if message_id.startswith(f"<{one['message_id']}@")]
            self.equal([mail.recipient for mail in mine], [one["address"]], f"who got {one['message_id']}")
            mails += mine
        missing = set(kinds) - {one["kind"] for one in deliveries}
        self.that(not missing, f"notice {notice['id']} was told as {', '.join(sorted(missing))}")
        return mails

    def page(self, path: str, *texts: str, language: str = "en") -> None:
        """The page can be read and holds the texts."""
        page = html.unescape(self.stage.service.page(path, language=language))
        for text in texts:
            self.that(text in page, f"the page {path} ({language}) tells '{text}'")

    def silent(self, path: str, *texts: str) -> None:
        """The page can be read and does not hold the texts."""
        page = html.unescape(self.stage.service.page(path))
        for text in texts:
            self.that(text not in page, f"the page {path} does not tell '{text}'")

    def feed(self, versions: Iterable[str]) -> None:
        """The Atom feed is well-formed and has an entry for each version."""
        feed = ET.fromstring(self.stage.service.page(f"/products/{SHOP}/feed.atom"))  # noqa: S314 - our own service's
        links = [link.get("href", "") for link in feed.iter(f"{ATOM}link")]
        for version in versions:
            self.that(
                any(link.endswith(f"/products/{SHOP}/releases/{version}") for link in links),
                f"the Atom feed has an entry for {version}",
            )


def port_of(container: Mapping[str, Any]) -> int:
    """The port on loopback that leads to the application in a container."""
    bindings = container["NetworkSettings"]["Ports"]["8080/tcp"]
    return int(bindings[0]["HostPort"])


def answer_of(container: Mapping[str, Any]) -> str:
    """The version that the application itself tells."""
    asked = http.client.HTTPConnection(LOOPBACK, port_of(container), timeout=5)
    try:
        asked.request("GET", "/version")
        with asked.getresponse() as answer:
            return answer.read().decode().strip()
    except OSError as error:
        return f"no answer ({error})"
    finally:
        asked.close()
