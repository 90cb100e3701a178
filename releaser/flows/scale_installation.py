"""Scale one module of one installation: more instances, or other resources, of the very version that runs there.

It is a rollout of that installation with an `operation`: planned, announced, approved and measured like any other.
"""

from __future__ import annotations

from dataclasses import replace

from releaser.domain.operation import Operation
from releaser.domain.plan import RolloutOptions
from releaser.errors import InvalidError, RefusedError
from releaser.flows.plan_rollout import plan_rollout
from releaser.flows.ports import Facts, Ports
from releaser.flows.start_rollout import start_rollout
from releaser.store import installations


def scale_installation(
    ports: Ports,
    *,
    installation: str,
    operation: Operation,
    by: str,
    options: RolloutOptions,
    dry_run: bool = False,
    key: str | None = None,
) -> Facts:
    """Start (or find) it; with `dry_run` only the plan, as `plan_rollout` tells it.

    What is declared becomes what was made once it has succeeded. Raises `RefusedError` (no front to share requests, nothing runs
    there, a kind of target that has none of it), `InvalidError`, and what `start_rollout` raises.
    """
    operation.check()
    product, version = _running(ports, installation, operation)
    chosen = replace(options, operation=operation)
    selector = f"installation={installation}"
    if dry_run:
        return plan_rollout(
            ports, product=product, version=version, selector=selector, by=by, options=chosen, save=False
        )
    return start_rollout(ports, product=product, version=version, selector=selector, by=by, options=chosen, key=key)


def _running(ports: Ports, installation: str, operation: Operation) -> tuple[str, str]:
    """The product, and the one version of the module that runs there."""
    with ports.database.reading() as session:
        row = installations.get(session, installation)
        modules = {target.module.name for target in row.targets}
        if operation.module not in modules:
            raise InvalidError(
                f"Installation '{installation}' has no target of module '{operation.module[:80]}'.",
                advice=f"It has: {', '.join(sorted(modules)) or 'none'}.",
                field="module",
            )
        versions = {target.version for target in row.targets if target.module.name == operation.module}
        if len(versions) != 1 or "" in versions:
            shown = ", ".join(sorted(one or "nothing that is known" for one in versions))
            raise RefusedError(
                f"Module '{operation.module}' of '{installation}' has not one version that runs: {shown}.",
                rule="scale-what-runs",
                advice="Roll one version out to it first.",
                field="module",
                installation=installation,
            )
        return row.product.name, versions.pop()
