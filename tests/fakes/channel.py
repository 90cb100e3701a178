"""A channel that keeps what it was given, and can fail in every way a real one does."""

from __future__ import annotations

from releaser.channels.channel import Message
from releaser.errors import OutsideError


class FakeChannel:
    """`faults` maps an address to the error to raise for it; take it out to have the recipient back."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.faults: dict[str, OutsideError] = {}

    def send(self, message: Message) -> None:
        """Keep the message, or fail as told."""
        if "@" not in message.to or message.to.split() != [message.to]:
            raise OutsideError(f"{message.to!a} is no address.", permanent=True)
        if message.to in self.faults:
            raise self.faults[message.to]
        self.sent.append(message)

    def fail(self, address: str, *, permanent: bool) -> None:
        """From now on this recipient fails, for now or for ever."""
        self.faults[address] = OutsideError(f"{address} does not take it.", permanent=permanent)

    def subjects(self, address: str) -> list[str]:
        """What one recipient got, in order."""
        return [message.subject for message in self.sent if message.to == address]
