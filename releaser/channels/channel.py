"""The port every channel implements. Flows import this file, never a channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A part of a message beside its text, such as a calendar entry."""

    filename: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one recipient. `message_id` is deterministic: a repeat carries the same one.

    Ids are local names without a domain, which a channel adds in its own way; `in_reply_to` is the first message of
    the same conversation. `written_at` is when the message came to be, not when it is sent.
    """

    message_id: str
    to: str
    subject: str
    text: str
    html: str
    language: str
    written_at: datetime
    attachments: tuple[Attachment, ...] = ()
    in_reply_to: str = ""


class Channel(Protocol):
    """A way to reach one recipient. Sending twice is possible (at least once); the id lets receivers drop repeats."""

    def send(self, message: Message) -> None:
        """Hand over one message, or raise `OutsideError` (`permanent=True`: this recipient will never take it)."""
        ...
