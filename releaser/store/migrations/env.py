"""How Alembic takes steps: on the connection it is given, in the transaction that is open there. Run by Alembic only."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Enum
from sqlalchemy.types import TypeEngine

from releaser.store.base import Instant
from releaser.store.schema import metadata


def _render(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:  # noqa: ANN401 -- Alembic's signature
    """Write columns of our own types as the plain types they are kept in: steps do not depend on the program."""
    if kind == "type" and isinstance(item, TypeEngine):
        if isinstance(item, Instant):
            return "sa.DateTime(timezone=True)"
        if isinstance(item, Enum):
            return f"sa.String(length={item.length})"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite changes a table by replacing it, which a batch does; a new table needs none.
    render_as_batch=not context.config.attributes.get("is_first", False),
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
