"""A small world in a database, written row by row: a product with two lines, three customers, rollouts and notices.

For tests of what is shown; what leads to such rows is tested where it happens.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.notice import DeliveryKind, DeliveryState, NoticeImpact, NoticeState
from releaser.domain.release import ReleaseState
from releaser.domain.request import CloseReason, TicketState
from releaser.domain.rollout import RolloutState, StepState, UpdateState, WaitsFor, WaveState
from releaser.domain.target import Stop
from releaser.domain.version import VersionKind
from releaser.store import moves
from releaser.store.commits import Commit, FixSet, ReleaseCommit, ReleaseSet, TicketCommit, TicketFix
from releaser.store.customers import Contact, Customer
from releaser.store.installations import Host, Installation, Installed, Target
from releaser.store.notices import Delivery, Notice, NoticeInstallation, NoticeText
from releaser.store.products import Line, Module, Product
from releaser.store.releases import Note, Release, ReleaseImage
from releaser.store.rollouts import Rollout, StepRecord, TargetUpdate, Wave
from releaser.store.tickets import Ticket

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DIGEST = "sha256:" + "4f" * 32


def days(count: float) -> timedelta:
    return timedelta(days=count)


def tell(session: Session, *, hostile: str = "") -> None:
    """Write the whole story; `hostile` is put wherever text comes from people or from a history."""
    product = _product(session, hostile)
    releases = _releases(session, product, hostile)
    targets = _installations(session, product, hostile)
    first = _done(session, product, releases["1.1"], targets)
    _rolled_back(session, product, releases["1.2"], targets, hostile)
    running = _running(session, product, releases["1.1.1"], targets, hostile)
    _notices(session, product, first, running, targets, hostile)


def _product(session: Session, hostile: str) -> Product:
    product = Product(
        name="portal",
        title=f"Portal{hostile}",
        repository="https://git.example.com/portal.git",
        ticket_patterns=["PRT-\\d+"],
        first_train_on=date(2026, 11, 3),
        zone="Europe/Moscow",
        collected_at=NOW - timedelta(minutes=12),
        created_at=NOW - days(90),
        modules=[
            Module(name="app", image="127.0.0.1:5000/portal/app:{version}"),
            Module(name="reports", image="127.0.0.1:5000/portal/reports:{version}"),
        ],
    )
    session.add(product)
    session.flush()
    for rank, (name, phase, until) in enumerate(
        [("1.0", "security-only", date(2027, 1, 31)), ("1.1", "maintained", date(2027, 6, 30))]
    ):
        session.add(Line(product_id=product.id, name=name, sort_key=rank, phase=phase, supported_until_on=until))
    for key, title, customer_title, state in [
        ("PRT-12", f"Sign-in fails after a password change{hostile}", "acme", TicketState.CLOSED),
        ("PRT-15", f"Export a report as a spreadsheet{hostile}", None, TicketState.SOLUTION_PROVIDED),
    ]:
        customer = _customer(session, customer_title, hostile) if customer_title else None
        session.add(
            Ticket(
                product_id=product.id,
                key=key,
                title=title,
                customer_id=customer.id if customer else None,
                found_in="1.0",
                state=state,
                close_reason=CloseReason.CONFIRMED if state is TicketState.CLOSED else None,
                opened_at=NOW - days(40),
                solved_at=NOW - days(20),
                closed_at=NOW - days(10) if state is TicketState.CLOSED else None,
            )
        )
    return product


def _customer(session: Session, name: str, hostile: str) -> Customer:
    titles = {"acme": "Acme Freight", "globex": "Globex Energy", "severny": "Северный порт"}
    customer = Customer(
        name=name,
        title=titles[name] + hostile,
        language="ru" if name == "severny" else "en",
        zone="Europe/Moscow" if name == "severny" else "Europe/London",
        regulation={},
        contacts=[Contact(email=f"operations@{name}.example")],
    )
    session.add(customer)
    session.flush()
    return customer


def _releases(session: Session, product: Product, hostile: str) -> dict[str, Release]:
    told: list[tuple[str, VersionKind, float, ReleaseState, list[tuple[str | None, str, str]]]] = [
        ("1.0", VersionKind.STABLE, 60, ReleaseState.PUBLISHED, []),
        (
            "1.0.1",
            VersionKind.PATCH,
            41,
            ReleaseState.YANKED,
            [("PRT-9", "fixes", "Keep the session when the clock changes")],
        ),
        (
            "1.1",
            VersionKind.STABLE,
            18,
            ReleaseState.PUBLISHED,
            [
                ("PRT-15", "refs", "feat(reports): export as a spreadsheet"),
                ("PRT-12", "fixes", "PRT-12: Accept the new password at once"),
                (None, "", "chore: renew the base image"),
            ],
        ),
        (
            "1.1.1",
            VersionKind.PATCH,
            2,
            ReleaseState.PUBLISHED,
            [("PRT-21", "fixes", "Show the right week in the shift plan")],
        ),
        ("1.2", VersionKind.STABLE, 0.2, ReleaseState.CANDIDATE, [("PRT-30", "refs", "feat!: new sign-in page")]),
    ]
    found: dict[str, Release] = {}
    for rank, (version, kind, age, state, commits) in enumerate(told, start=1):
        at = NOW - days(age)
        public = state in {ReleaseState.PUBLISHED, ReleaseState.YANKED}
        release = Release(
            product_id=product.id,
            version=version,
            version_key=version,
            sort_key=rank,
            rank=rank - 1,
            line=".".join(version.split(".")[:2]),
            kind=kind,
            state=state,
            commit=f"{rank:040x}",
            tag=f"v{version}",
            previous=list(found)[-1] if found else "",
            cut_by="olga",
            tagged_at=at,
            cut_at=at,
            published_at=at if public else None,
            yanked_at=at + days(1) if state is ReleaseState.YANKED else None,
            yank_reason=f"It logs everybody out at midnight.{hostile}" if state is ReleaseState.YANKED else "",
        )
        session.add(release)
        session.flush()
        for module in product.modules:
            image = module.image.replace("{version}", version)
            session.add(
                ReleaseImage(release_id=release.id, module_id=module.id, image=image, digest=DIGEST, resolved_at=at)
            )
        _commits(session, product, release, commits, hostile)
        found[version] = release
    _notes(session, found["1.1"], hostile)
    return found


def _commits(
    session: Session, product: Product, release: Release, commits: list[tuple[str | None, str, str]], hostile: str
) -> None:
    # As far as this story goes, what is in a release is in every later one.
    later = (-1 << (release.rank or 0)) & 0b11111
    session.add(ReleaseSet(product_id=product.id, number=release.id, bits=bytes([later])))
    session.add(FixSet(product_id=product.id, number=release.id, bits=bytes([later])))
    for position, (key, relation, subject) in enumerate(commits):
        commit = Commit(
            product_id=product.id,
            sha=f"{release.id:08x}{position:032x}",
            place=100 * release.id + position,
            author="dev@example.com",
            authored_at=NOW,
            committed_at=NOW,
            subject=subject + hostile,
            release_set=release.id,
        )
        session.add(commit)
        session.flush()
        session.add(ReleaseCommit(release_id=release.id, commit_id=commit.id, position=position))
        if key:
            if relation == "fixes":
                session.add(TicketFix(product_id=product.id, ticket=key, fix_set=release.id))
            session.add(TicketCommit(commit_id=commit.id, ticket=key, product_id=product.id, relation=relation))


def _notes(session: Session, release: Release, hostile: str) -> None:
    for ticket, section, language, text in [
        ("PRT-15", "added", "en", "Reports can be **exported as a spreadsheet**, with every filter that is set."),
        ("PRT-15", "added", "ru", "Отчёты можно **выгрузить в электронную таблицу**, со всеми заданными фильтрами."),
        ("PRT-12", "fixed", "en", "A changed password is accepted at once, without signing out first."),
        ("PRT-12", "fixed", "ru", "Новый пароль принимается сразу, выходить из системы не нужно."),
    ]:
        session.add(
            Note(
                release_id=release.id,
                ticket=ticket,
                section=section,
                language=language,
                text=text + hostile,
                needs_action=False,
                written_at=NOW,
                written_by="olga",
            )
        )


def _installations(session: Session, product: Product, hostile: str) -> list[Target]:
    host = Host(name="host-1", address="unix:///run/engine.sock")
    session.add(host)
    session.flush()
    acme = session.query(Customer).filter_by(name="acme").one()
    others = {name: _customer(session, name, hostile) for name in ("globex", "severny")}
    targets = []
    for customer, name, title, ring, version in [
        (acme, "acme-test", "Acme, test", "canary", "1.1.1"),
        (acme, "acme-prod", "Acme, production", "wide", "1.1"),
        (others["globex"], "globex", "Globex", "wide", "1.0"),
        (others["severny"], "severny", "Северный порт", "wide", "1.1"),
    ]:
        installation = Installation(
            name=name, title=title + hostile, customer_id=customer.id, product_id=product.id, ring=ring, labels={}
        )
        session.add(installation)
        session.flush()
        target = Target(
            installation_id=installation.id,
            module_id=product.modules[0].id,
            host_id=host.id,
            spec={"name": name},
            version=version,
            digest=DIGEST,
            installed_at=NOW - days(2 if version == "1.1.1" else 9),
        )
        session.add(target)
        session.flush()
        session.add(Installed(target_id=target.id, version=version, digest=DIGEST, at=NOW - days(9)))
        targets.append(target)
    return targets


def _rollout(
    session: Session, product: Product, release: Release, state: RolloutState, began: datetime, **values: object
) -> Rollout:
    rollout = Rollout(
        product_id=product.id,
        release_id=release.id,
        selector="all",
        state=state,
        plan={},
        plan_hash="0" * 16,
        created_by="olga",
        created_at=began,
        started_at=began,
        **values,
    )
    session.add(rollout)
    session.flush()
    for source, to in [("", "planned"), ("planned", "running")]:
        moves.record(session, rollout, source=source, to=to, now=began, by="olga")
    return rollout


def _update(
    session: Session, rollout: Rollout, target: Target, position: int, state: UpdateState, **values: object
) -> TargetUpdate:
    update = TargetUpdate(
        rollout_id=rollout.id,
        target_id=target.id,
        position=position,
        state=state,
        desired={"version": rollout.release.version},
        previous={"version": target.version},
        steps=[],
        planned_stop_s=2.0,
        **values,
    )
    session.add(update)
    session.flush()
    return update


def _journal(session: Session, update: TargetUpdate, began: datetime, done: list[str], intent: str = "") -> None:
    at = began
    for name in [*done, *([intent] if intent else [])]:
        ended = at + timedelta(milliseconds=180)
        session.add(
            StepRecord(
                update_id=update.id,
                attempt=1,
                name=name,
                state=StepState.INTENT if name == intent else StepState.DONE,
                intent_at=at,
                done_at=None if name == intent else ended,
            )
        )
        at = ended


STEPS = ["pull", "create", "stop-old", "rename-old", "rename-new", "start-new", "start-new:healthy", "remove-old"]


def _done(session: Session, product: Product, release: Release, targets: list[Target]) -> Rollout:
    began = NOW - days(9)
    rollout = _rollout(
        session, product, release, RolloutState.SUCCEEDED, began, finished_at=began + timedelta(seconds=31)
    )
    for number in (1, 2):
        session.add(Wave(rollout_id=rollout.id, number=number, state=WaveState.SUCCEEDED, started_at=began))
    for position, target in enumerate(targets):
        update = _update(
            session, rollout, target, position, UpdateState.SUCCEEDED,
            wave=1 if position == 0 else 2,
            stopped_at=began,
            served_at=began + timedelta(milliseconds=410 + 600 * position),
            finished_at=began + timedelta(seconds=9),
        )  # fmt: skip
        _journal(session, update, began, STEPS)
    moves.record(session, rollout, source="running", to="succeeded", now=began + timedelta(seconds=31), by="releaser")
    return rollout


def _rolled_back(session: Session, product: Product, release: Release, targets: list[Target], hostile: str) -> None:
    began = NOW - timedelta(hours=3)
    rollout = _rollout(
        session, product, release, RolloutState.FAILED, began,
        finished_at=began + timedelta(seconds=70),
        reason=f"1 of 1 targets failed in wave 1, and 0 may.{hostile}",
    )  # fmt: skip
    session.add(Wave(rollout_id=rollout.id, number=1, state=WaveState.FAILED, started_at=began))
    update = _update(
        session, rollout, targets[0], 0, UpdateState.ROLLED_BACK,
        wave=1,
        reason=f"not healthy in time: the probe answered 503{hostile}",
        stopped_at=began,
        served_at=began + timedelta(seconds=4.2),
    )  # fmt: skip
    _journal(session, update, began, ["pull", "create", "stop-old", "start-new", "stop-new", "start-old", "remove-new"])
    moves.record(session, rollout, source="running", to="failed", now=NOW, by="releaser", reason=f"too many{hostile}")


def _running(session: Session, product: Product, release: Release, targets: list[Target], hostile: str) -> Rollout:
    began = NOW - timedelta(minutes=2)
    rollout = _rollout(session, product, release, RolloutState.RUNNING, began)
    session.add(Wave(rollout_id=rollout.id, number=1, state=WaveState.SUCCEEDED, started_at=began))
    session.add(Wave(rollout_id=rollout.id, number=2, state=WaveState.RUNNING, started_at=began))
    first = _update(
        session,
        rollout,
        targets[0],
        0,
        UpdateState.SUCCEEDED,
        wave=1,
        stopped_at=began,
        served_at=began + timedelta(milliseconds=380),
    )
    _journal(session, first, began, STEPS)
    second = _update(session, rollout, targets[1], 1, UpdateState.CUTTING_OVER, wave=2, active=True)
    _journal(session, second, began, ["pull", "create"], intent="stop-old")
    third = _update(
        session,
        rollout,
        targets[3],
        2,
        UpdateState.WAITING,
        wave=2,
        active=True,
        waits_for=WaitsFor.WINDOW,
        reason=hostile,
    )
    _journal(session, third, began, ["pull", "create"])
    for row, to in [(first, "succeeded"), (second, "cutting_over"), (third, "waiting")]:
        moves.record(session, row, source="prepared", to=to, now=began, by="releaser")
    return rollout


def _notices(
    session: Session, product: Product, first: Rollout, running: Rollout, targets: list[Target], hostile: str
) -> None:
    for number, (rollout, version, state, starts, hours, measured) in enumerate(
        [
            (first, "1.1", NoticeState.COMPLETED, -days(9), 1, 2.21),
            (running, "1.1.1", NoticeState.IN_PROGRESS, -timedelta(minutes=2), 2, None),
            (None, "1.2", NoticeState.ANNOUNCED, days(4), 2, None),
            (None, "1.0.1", NoticeState.CANCELLED, -days(40), 1, None),
        ],
        start=1,
    ):
        starts_at = NOW + starts
        over = state in {NoticeState.COMPLETED, NoticeState.CANCELLED}
        notice = Notice(
            uid=f"notice-{number}",
            product_id=product.id,
            rollout_id=rollout.id if rollout else None,
            version=version,
            state=state,
            impact=NoticeImpact.OUTAGE,
            stop=Stop.FULL,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=hours),
            created_at=starts_at - days(3),
            announced_at=starts_at - days(2),
            started_at=starts_at if state is not NoticeState.ANNOUNCED else None,
            ended_at=starts_at + timedelta(minutes=1) if over else None,
        )
        notice.texts = [
            NoticeText(revision=0, language="en", subject=f"Portal {version}: update{hostile}", body=f"Portal will be updated to {version}.\nSigning in is not possible while it restarts.{hostile}"),
            NoticeText(revision=0, language="ru", subject=f"Portal {version}: обновление{hostile}", body=f"Portal будет обновлён до версии {version}.{hostile}"),
        ]  # fmt: skip
        notice.touched = [
            NoticeInstallation(
                installation_id=target.installation_id,
                stop=Stop.FULL,
                modules=["app"],
                planned_stop_s=2.0,
                measured_stop_s=measured if measured is None else measured - 0.6 * place,
                outcome="succeeded" if measured else "",
                revision=0,
            )
            for place, target in enumerate(targets[1:])
        ]
        session.add(notice)
        session.flush()
        _delivery(session, notice, targets[1], number)


def _delivery(session: Session, notice: Notice, target: Target, number: int) -> None:
    session.add(
        Delivery(
            notice_id=notice.id,
            customer_id=target.installation.customer_id,
            revision=0,
            kind=DeliveryKind.ANNOUNCED,
            channel="email",
            address="operations@acme.example",
            language="en",
            zone="UTC",
            message_id=f"<{number}@example.com>",
            state=DeliveryState.SENT,
            due_at=notice.created_at,
            queued_at=notice.created_at,
            sent_at=notice.announced_at,
        )
    )


def many_releases(session: Session, count: int) -> None:
    """Put `count` old imported releases, a line each, below those of the story."""
    product = session.query(Product).filter_by(name="portal").one()
    for number in range(count):
        version = f"0.{number}"
        session.add(
            Release(
                product_id=product.id,
                version=version,
                version_key=version,
                sort_key=number - count,
                line=version,
                kind=VersionKind.STABLE,
                state=ReleaseState.PUBLISHED,
                imported=True,
                tagged_at=NOW - days(1_000 - number),
            )
        )
