from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

from releaser.channels.channel import Attachment, Message
from releaser.channels.email import EmailChannel, MailAddressError, MailError
from releaser.demo.mailbox import Mailbox
from releaser.demo.ports import free_port
from tests.channels.test_contract import MESSAGE

SENDER = "Releases of Calls <releases@example.com>"


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    with Mailbox(tmp_path / "mail") as mailbox:
        yield mailbox


def channel_to(mailbox: Mailbox) -> EmailChannel:
    return EmailChannel(f"smtp://{mailbox.host}:{mailbox.port}", sender=SENDER, timeout_s=5)


def sent(mailbox: Mailbox, message: Message) -> Any:  # noqa: ANN401 -- EmailMessage's headers are typed too loosely
    channel_to(mailbox).send(message)
    return mailbox.messages()[-1].message


def test_mail_is_text_html_and_calendar(mailbox: Mailbox) -> None:
    mail = sent(mailbox, MESSAGE)
    assert mail.get_body(("plain",)).get_content().replace("\r\n", "\n") == MESSAGE.text
    assert mail.get_body(("html",)).get_content().replace("\r\n", "\n") == MESSAGE.html
    (attachment,) = mail.iter_attachments()
    assert attachment.get_content_type() == "text/calendar"
    assert attachment.get_filename() == "notice.ics"
    assert attachment.get_payload(decode=True) == b"BEGIN:VCALENDAR\r\n"


def test_headers_are_those_of_an_automatic_message(mailbox: Mailbox) -> None:
    mail = sent(mailbox, MESSAGE)
    assert mail["From"] == SENDER
    assert mail["To"] == MESSAGE.to
    assert mail["Subject"] == MESSAGE.subject
    assert mail["Message-ID"] == "<0123.0.announced.abcd@example.com>"
    assert mail["Date"].datetime == MESSAGE.written_at
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "ru"
    assert mail["In-Reply-To"] is None


@pytest.mark.parametrize(
    "subject",
    [
        "Плановые работы: Shop 1.1.2, 21 ноября 2026 г., 09:34 (Москва, UTC+03:00)",
        "Работы закончены: " + "очень длинное название, 3.14.15 " * 5 + "всё",
        "x, " * 30 + "ф, y",
    ],
)
def test_long_subject_keeps_every_space_and_short_lines(mailbox: Mailbox, subject: str) -> None:
    mail = sent(mailbox, replace(MESSAGE, subject=subject))
    assert mail["Subject"] == subject
    head = mailbox.messages()[0].path.read_bytes().partition(b"\r\n\r\n")[0]
    assert max(len(line) for line in head.splitlines()) <= 78


def test_later_message_answers_the_first(mailbox: Mailbox) -> None:
    mail = sent(mailbox, replace(MESSAGE, message_id="0123.1.revised.abcd", in_reply_to=MESSAGE.message_id))
    assert mail["In-Reply-To"] == mail["References"] == "<0123.0.announced.abcd@example.com>"


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\r\n\r\n"])
def test_nothing_in_a_message_adds_a_header(mailbox: Mailbox, break_: str) -> None:
    evil = f"x{break_}Bcc: all@example.org{break_}X-Evil: 1"
    mail = sent(
        mailbox,
        replace(
            MESSAGE,
            subject=evil,
            language=evil,
            text=evil,
            html=evil,
            attachments=(Attachment(filename=evil, media_type="text/calendar", content=b"x"),),
        ),
    )
    assert mail["Bcc"] is None
    assert mail["X-Evil"] is None
    assert mail["Subject"] == "x Bcc: all@example.org X-Evil: 1"
    with pytest.raises(MailError):
        channel_to(mailbox).send(replace(MESSAGE, message_id=evil))
    assert len(mailbox.messages()) == 1


def test_address_beyond_ascii_goes_to_a_server_that_can(mailbox: Mailbox) -> None:
    channel_to(mailbox).send(replace(MESSAGE, to="почта@пример.испытание"))
    assert mailbox.messages()[0].recipient == "почта@пример.испытание"


@pytest.mark.parametrize(
    ("answer", "permanent"), [("554 5.7.1 Looks like spam", True), ("451 4.3.0 Disk is full", False)]
)
def test_refused_content_is_final_by_its_code(answer: str, *, permanent: bool) -> None:
    with served(data=answer) as port, pytest.raises(MailError, match=answer[:3]) as caught:
        EmailChannel(f"smtp://127.0.0.1:{port}", sender=SENDER).send(MESSAGE)
    assert caught.value.permanent is permanent


def test_server_that_is_not_there_may_come_back() -> None:
    port = free_port()
    with pytest.raises(MailError) as caught:
        EmailChannel(f"smtp://127.0.0.1:{port}", sender=SENDER, timeout_s=2).send(MESSAGE)
    assert not caught.value.permanent


def test_server_can_be_looked_at_without_sending(mailbox: Mailbox) -> None:
    assert channel_to(mailbox).check() == f"{mailbox.host}:{mailbox.port} answers"
    assert mailbox.messages() == []
    port = free_port()
    with pytest.raises(MailError, match="failed"):
        EmailChannel(f"smtp://127.0.0.1:{port}", sender=SENDER, timeout_s=2).check()


def test_server_that_says_nothing_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        channel = EmailChannel(f"smtp://127.0.0.1:{silent.getsockname()[1]}", sender=SENDER, timeout_s=0.2)
        with pytest.raises(MailError, match="no answer in time") as caught:
            channel.send(MESSAGE)
    assert not caught.value.permanent


def test_server_that_hangs_up_may_come_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as rude:
        hang_up = threading.Thread(target=lambda: rude.accept()[0].close())  # noqa: PLW0108 -- accepted in the thread, not here
        hang_up.start()
        with pytest.raises(MailError) as caught:
            EmailChannel(f"smtp://127.0.0.1:{rude.getsockname()[1]}", sender=SENDER, timeout_s=2).send(MESSAGE)
        hang_up.join()
    assert not caught.value.permanent


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example.org",
        "http://example.org",
        "smtp://",
        "smtp://h:0",
        "smtp://h:99999",
        "smtp://h/path",
        "smtp://h?x=1",
    ],
)
def test_unusable_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(MailAddressError) as caught:
        EmailChannel(url, sender=SENDER)
    assert len(url) < 8 or url not in str(caught.value)


def test_unusable_sender_is_refused() -> None:
    with pytest.raises(MailAddressError):
        EmailChannel("smtp://127.0.0.1", sender="nobody")


def test_password_is_not_shown() -> None:
    assert "secret" not in repr(EmailChannel("smtp://me:secret@mail.example.org", sender=SENDER))


class Sink:
    """Keeps what came, with what the session knew; refuses content when told to."""

    def __init__(self, data: str) -> None:
        self.data = data
        self.encrypted: list[bool] = []
        self.users: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802, ANN401 -- aiosmtpd's
        del server, envelope
        self.encrypted.append(session.ssl is not None)
        return self.data

    def authenticator(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:  # noqa: ANN401 -- aiosmtpd's
        del server, session, envelope, mechanism
        self.users.append(f"{data.login.decode()}:{data.password.decode()}")
        return AuthResult(success=data.password == b"p@ss/word", handled=False)


@contextmanager
def served(*, data: str = "250 OK", sink: Sink | None = None, **options: Any) -> Iterator[int]:  # noqa: ANN401 -- Controller's
    port = free_port()
    controller = Controller(
        sink or Sink(data),
        hostname="127.0.0.1",
        port=port,
        server_hostname="mail.example.org",
        ready_timeout=30,
        **options,
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, cert


def contexts(certificate: tuple[Path, Path]) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key, cert = certificate
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))


def test_starttls_is_used_when_offered_and_the_user_logged_in(certificate: tuple[Path, Path]) -> None:
    server, client = contexts(certificate)
    sink = Sink("250 OK")
    with served(sink=sink, tls_context=server, authenticator=sink.authenticator, auth_required=True) as port:
        EmailChannel(f"smtp://us%40er:p%40ss%2Fword@127.0.0.1:{port}", sender=SENDER, tls=client).send(MESSAGE)
    assert sink.encrypted == [True]
    assert sink.users == ["us@er:p@ss/word"]


def test_certificate_that_does_not_hold_sends_nothing(certificate: tuple[Path, Path]) -> None:
    server, _ = contexts(certificate)
    sink = Sink("250 OK")
    with served(sink=sink, tls_context=server) as port, pytest.raises(MailError, match=r"(?i)certificate") as caught:
        EmailChannel(f"smtp://127.0.0.1:{port}", sender=SENDER, timeout_s=5).send(MESSAGE)
    assert not caught.value.permanent
    assert sink.encrypted == []


def test_smtps_is_encrypted_from_the_start(certificate: tuple[Path, Path]) -> None:
    server, client = contexts(certificate)
    with served(ssl_context=server) as port:
        EmailChannel(f"smtps://127.0.0.1:{port}", sender=SENDER, tls=client).send(MESSAGE)


def test_wrong_password_may_be_mended(certificate: tuple[Path, Path]) -> None:
    server, client = contexts(certificate)
    sink = Sink("250 OK")
    with served(sink=sink, tls_context=server, authenticator=sink.authenticator, auth_required=True) as port:
        with pytest.raises(MailError, match="535") as caught:
            EmailChannel(f"smtp://user:wrong@127.0.0.1:{port}", sender=SENDER, tls=client).send(MESSAGE)
        assert not caught.value.permanent
