"""What every channel does, real ones and the fake alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from releaser.channels.channel import Attachment, Channel, Message
from releaser.channels.email import EmailChannel
from releaser.demo.mailbox import Mailbox
from releaser.errors import OutsideError
from tests.fakes.channel import FakeChannel

MESSAGE = Message(
    message_id="0123.0.announced.abcd",
    to="ops@example.org",
    subject="Плановые работы: Calls 1.1",
    text="Два слова.\n",
    html="<p>Два слова.</p>\n",
    language="ru",
    written_at=datetime(2026, 11, 21, 7, tzinfo=UTC),
    attachments=(Attachment(filename="notice.ics", media_type="text/calendar", content=b"BEGIN:VCALENDAR\r\n"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A channel, the subjects and ids that arrived, and how to make a recipient refuse."""

    channel: Channel
    arrived: Callable[[], list[tuple[str, str]]]
    refuse: Callable[[str, bool], None]


@pytest.fixture(params=["fake", "email"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "fake":
        fake = FakeChannel()
        yield Bench(
            channel=fake,
            arrived=lambda: [(message.subject, message.message_id) for message in fake.sent],
            refuse=lambda address, permanent: fake.fail(address, permanent=permanent),
        )
        return
    with Mailbox(tmp_path / "mail") as mailbox:

        def refuse(address: str, permanent: bool) -> None:  # noqa: FBT001 -- the shape of Bench.refuse
            mailbox.answers[address] = "550 5.1.1 No such person" if permanent else "450 4.2.1 Try again later"

        yield Bench(
            channel=EmailChannel(f"smtp://{mailbox.host}:{mailbox.port}", sender="releases@example.com", timeout_s=5),
            arrived=lambda: [
                (mail.subject, str(mail.message["Message-ID"]).strip("<>").partition("@")[0])
                for mail in mailbox.messages()
            ],
            refuse=refuse,
        )


def test_message_arrives(bench: Bench) -> None:
    bench.channel.send(MESSAGE)
    assert bench.arrived() == [(MESSAGE.subject, MESSAGE.message_id)]


def test_repeat_carries_the_same_id(bench: Bench) -> None:
    bench.channel.send(MESSAGE)
    bench.channel.send(MESSAGE)
    assert bench.arrived() == [(MESSAGE.subject, MESSAGE.message_id)] * 2


@pytest.mark.parametrize("permanent", [True, False])
def test_refusal_says_whether_it_is_final(bench: Bench, *, permanent: bool) -> None:
    bench.refuse("gone@example.org", permanent)
    with pytest.raises(OutsideError) as caught:
        bench.channel.send(replace(MESSAGE, to="gone@example.org"))
    assert caught.value.permanent is permanent
    assert bench.arrived() == []


@pytest.mark.parametrize("to", ["nobody", "a@b@c d", "a@example.org\r\nBcc: b@example.org", ""])
def test_what_is_no_address_is_refused_for_good(bench: Bench, to: str) -> None:
    with pytest.raises(OutsideError) as caught:
        bench.channel.send(replace(MESSAGE, to=to))
    assert caught.value.permanent
    assert bench.arrived() == []
