"""A real mail server on loopback that keeps every message as a file one can open.

What does not live here: what is sent, and the sending (`releaser.channels`).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from releaser.demo.ports import LOOPBACK, free_port

UNSAFE = re.compile(r"[^A-Za-z0-9@._+-]")
LONGEST_NAME = 120
READY_WITHIN_S = 60.0  # a busy machine takes its time
NAME = "mail.example.org"  # what the server calls itself; looking up the machine's own name may take long


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message as it reached one recipient."""

    path: Path
    sender: str
    recipient: str
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    @property
    def text(self) -> str:
        """The plain text part, empty where there is none."""
        part = self.message.get_body(("plain",))
        return "" if part is None else str(part.get_content())


class Mailbox:
    """Takes mail for everybody and keeps it as `NNNN-<recipient>.eml` in `folder`; a context manager.

    A message to several recipients becomes a file for each. `answers` tells for which recipients the server says no
    and how, such as `{"gone@example.org": "550 5.1.1 No such person"}`; change it while it runs to have them back.
    """

    def __init__(self, folder: Path, *, answers: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.port = 0
        self.answers = dict(answers or {})
        self._arrived = threading.Condition()
        self._controller: Controller | None = None

    @property
    def host(self) -> str:
        return LOOPBACK

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start serving; stopped and started again it has the same port."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        controller = Controller(
            self,
            hostname=LOOPBACK,
            port=self.port,
            enable_SMTPUTF8=True,
            server_hostname=NAME,
            ready_timeout=READY_WITHIN_S,
        )
        controller.start()
        self._controller = controller

    def stop(self) -> None:
        """Stop serving; repeatable. The messages stay."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def messages(self) -> list[Mail]:
        """Everything kept, in the order of arrival."""
        return [_read(path) for path in self._files()]

    def wait_for(self, count: int, *, timeout_s: float = 10) -> list[Mail]:
        """Everything kept, once that is at least `count`; raises TimeoutError when it does not come to that."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._files()) >= count, timeout_s):
                raise TimeoutError(f"{len(self._files())} of {count} messages came within {timeout_s:g} s")
        return self.messages()

    async def handle_RCPT(  # noqa: N802 - the name the server calls
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept the recipient, unless told otherwise."""
        del server, session
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - likewise
        """Keep the message; it is accepted only after it is on the disk."""
        del server, session
        with self._arrived:
            for recipient in envelope.rcpt_tos:
                self._keep(cast("bytes", envelope.content), sender=envelope.mail_from or "", recipient=recipient)
            self._arrived.notify_all()
        return "250 OK"

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*-*.eml"))

    def _keep(self, content: bytes, *, sender: str, recipient: str) -> None:
        last = int(files[-1].name.split("-")[0]) if (files := self._files()) else 0
        path = self.folder / f"{last + 1:04}-{UNSAFE.sub('_', recipient)[:LONGEST_NAME]}.eml"
        # As a mail server does on final delivery (RFC 5321, 4.4); whoever reads the folder never sees half a message.
        head = f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n"
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(head.encode() + content)
        unfinished.rename(path)


def _read(path: Path) -> Mail:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    return Mail(
        path=path,
        sender=str(message["Return-Path"] or "").strip("<> "),
        recipient=str(message["Delivered-To"] or ""),
        message=message,
    )
