from __future__ import annotations

import smtplib
from email.message import EmailMessage
from pathlib import Path

import pytest

from releaser.demo.mailbox import Mailbox


def letter(*, to: str, subject: str = "Work on Tuesday", text: str = "We stop at 22:00.") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.org", to, subject
    message.set_content(text)
    return message


def send(mailbox: Mailbox, message: EmailMessage) -> None:
    with smtplib.SMTP(mailbox.host, mailbox.port, timeout=20) as server:
        server.send_message(message)


def test_letter_sent_is_kept_as_a_file_that_can_be_read(tmp_path: Path) -> None:
    with Mailbox(tmp_path / "mail") as mailbox:
        send(mailbox, letter(to="anna@example.org", subject="Плановые работы", text="Остановим в 22:00."))
        (mail,) = mailbox.wait_for(1)
    assert mail.path == tmp_path / "mail" / "0001-anna@example.org.eml"
    assert (mail.sender, mail.recipient) == ("shop@example.org", "anna@example.org")
    assert mail.subject == "Плановые работы"
    assert mail.text.strip() == "Остановим в 22:00."


def test_letter_to_two_is_kept_for_each_and_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    with Mailbox(tmp_path) as mailbox:
        send(mailbox, letter(to="anna@example.org, boris@example.org"))
    with Mailbox(tmp_path) as mailbox:
        send(mailbox, letter(to="anna@example.org"))
        mails = mailbox.wait_for(3)
    assert [mail.path.name for mail in mails] == [
        "0001-anna@example.org.eml",
        "0002-boris@example.org.eml",
        "0003-anna@example.org.eml",
    ]


def test_recipient_that_is_a_path_stays_in_the_folder(tmp_path: Path) -> None:
    with Mailbox(tmp_path / "mail") as mailbox, smtplib.SMTP(mailbox.host, mailbox.port, timeout=20) as server:
        server.sendmail("shop@example.org", ["../../up@example.org"], b"Subject: x\r\n\r\nx\r\n")
        (mail,) = mailbox.wait_for(1)
    assert mail.path.parent == tmp_path / "mail"
    assert mail.recipient == "../../up@example.org"


def test_recipient_refused_gets_that_answer_until_it_is_taken_back(tmp_path: Path) -> None:
    with Mailbox(tmp_path, answers={"gone@example.org": "550 5.1.1 No such person"}) as mailbox:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            send(mailbox, letter(to="gone@example.org"))
        assert refused.value.recipients == {"gone@example.org": (550, b"5.1.1 No such person")}
        mailbox.answers.clear()
        send(mailbox, letter(to="gone@example.org"))
        assert len(mailbox.wait_for(1)) == 1


def test_mail_that_does_not_come_is_told(tmp_path: Path) -> None:
    with Mailbox(tmp_path) as mailbox, pytest.raises(TimeoutError, match="0 of 1"):
        mailbox.wait_for(1, timeout_s=0.05)


def test_server_stopped_and_started_has_the_same_port(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path)
    mailbox.start()
    port = mailbox.port
    mailbox.stop()
    mailbox.stop()
    with pytest.raises(OSError), smtplib.SMTP(mailbox.host, port, timeout=1):
        pass
    with mailbox:
        send(mailbox, letter(to="anna@example.org"))
        assert (mailbox.port, len(mailbox.messages())) == (port, 1)
