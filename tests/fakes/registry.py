"""An image registry in memory."""

from __future__ import annotations

import hashlib

from releaser.sources.source import ImageNotFoundError, RegistryUnreachableError


class FakeRegistry:
    """Resolves what was pushed to it; `is_down` makes it unreachable. `asked` counts questions."""

    def __init__(self) -> None:
        self.images: dict[str, str] = {}
        self.is_down = False
        self.asked = 0

    def push(self, image: str, content: str = "") -> str:
        """Let `image` stand for `content` from now on; answers its digest."""
        self.images[image] = f"sha256:{hashlib.sha256(f'{image} {content}'.encode()).hexdigest()}"
        return self.images[image]

    def resolve(self, reference: str) -> str:
        self.asked += 1
        host = reference.partition("/")[0]
        if self.is_down:
            raise RegistryUnreachableError(f"The registry {host} cannot be reached.", permanent=False)
        if reference not in self.images:
            raise ImageNotFoundError(f"The registry {host} has no image {reference}.", permanent=True)
        return self.images[reference]
