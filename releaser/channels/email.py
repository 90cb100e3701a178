"""Mail over SMTP: one connection per message, bounded in time, with TLS wherever the server offers it.

A message is text, HTML and attachments; its id is deterministic, it says that it is automatic, and later messages about the same
thing answer the first. Nothing in a message can add a header. What the server says decides whether to try again: 5xx for this
recipient or content is final, everything else (4xx, no answer, wrong password) may be mended.

What does not live here: what is said and to whom, and when to try again (flows).
"""

from __future__ import annotations

import ipaddress
import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, formataddr, parseaddr
from urllib.parse import SplitResult, unquote, urlsplit

from releaser.channels.channel import Message
from releaser.errors import InvalidError, OutsideError

_ADDRESS = re.compile(r"[^\s@<>\"(),:;\\\[\]\x00-\x20\x7f]+@[^\s@<>\"(),:;\\\x00-\x20\x7f]+")
_LOCAL_ID = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+")
_MAX_ADDRESS = 254


class MailAddressError(InvalidError):
    """The mail server's URL or the sender's address cannot be used."""


class MailError(OutsideError):
    """The mail server did not take a message; the text is the server's own answer."""


class _SmtpPolicy(EmailPolicy):
    """The standard library's own, but for subjects: where it folds a long one with other than ASCII letters, spaces get lost."""

    def fold(self, name: str, value: str) -> str:
        if name.lower() != "subject" or str(value).isascii():
            return str(super().fold(name, value))
        return f"{name}: {Header(str(value), 'utf-8', header_name=name).encode(linesep=self.linesep)}{self.linesep}"

    def fold_binary(self, name: str, value: str) -> bytes:
        folded = self.fold(name, value)
        return folded.encode("ascii") if folded.isascii() else super().fold_binary(name, value)


_POLICY = _SmtpPolicy(linesep="\r\n")


class EmailChannel:
    """Sends mail through one server: `smtp://[user:password@]host[:port]` or `smtps://…`."""

    def __init__(self, url: str, *, sender: str, timeout_s: float = 20.0, tls: ssl.SSLContext | None = None) -> None:
        """`sender` is an address, or `Name <address>`; `tls` replaces the usual check of certificates.

        Raises `MailAddressError`.
        """
        parts = _parsed(url)
        self._host, self._port = parts.hostname or "", parts.port or (465 if parts.scheme == "smtps" else 25)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._wrapped = parts.scheme == "smtps"
        self._timeout_s = timeout_s
        self._tls = tls
        name, address = parseaddr(sender)
        if not _ADDRESS.fullmatch(address):
            raise MailAddressError(f"The sender {sender[:80]!a} is no mail address.", field="mail_from")
        self._address, self._sender = address, formataddr((name, address))
        self._domain = address.rpartition("@")[2]

    def __repr__(self) -> str:
        """Without the password."""
        return f"EmailChannel({self._host}:{self._port})"

    def send(self, message: Message) -> None:
        """Hand one message to the server. Raises `MailError`."""
        if len(message.to) > _MAX_ADDRESS or not _ADDRESS.fullmatch(message.to):
            raise MailError(f"{message.to[:80]!a} is no mail address.", permanent=True, advice="Correct the contact.")
        mail = self._written(message)
        try:
            with self._connected() as server:
                server.send_message(mail, from_addr=self._address, to_addrs=[message.to])
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = error.recipients[message.to]
            raise self._refused(code, answer, permanent=code >= 500) from error
        except smtplib.SMTPDataError as error:
            raise self._refused(error.smtp_code, error.smtp_error, permanent=error.smtp_code >= 500) from error
        except smtplib.SMTPResponseException as error:
            raise self._refused(error.smtp_code, error.smtp_error, permanent=False) from error
        except smtplib.SMTPNotSupportedError as error:
            raise MailError(
                f"The mail server {self._host} cannot send to {message.to}: {error}.", permanent=True
            ) from error
        except (smtplib.SMTPException, OSError) as error:
            raise self._failed(error) from error

    def check(self) -> str:
        """Connect, and log in where there is a user; one line about the server. Raises `MailError`."""
        try:
            with self._connected() as server:
                server.noop()
        except smtplib.SMTPResponseException as error:
            raise self._refused(error.smtp_code, error.smtp_error, permanent=False) from error
        except (smtplib.SMTPException, OSError) as error:
            raise self._failed(error) from error
        return f"{self._host}:{self._port} answers"

    def _failed(self, error: Exception) -> MailError:
        late = isinstance(error, TimeoutError) or "timed out" in str(error)
        reason = "no answer in time" if late else str(error) or type(error).__name__
        return MailError(
            f"The mail server {self._host}:{self._port} failed: {reason}.",
            permanent=False,
            advice="Check that it runs, and RELEASER_SMTP_URL.",
        )

    def _refused(self, code: int, answer: bytes | str, *, permanent: bool) -> MailError:
        text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
        return MailError(
            f"The mail server {self._host} said {code} {' '.join(text.split())[:500]}.", permanent=permanent
        )

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        """A connection, encrypted if the server can, and logged in if there is a user."""
        # The name we greet with is the sender's domain: looking up the machine's own may take long.
        tls = self._tls or ssl.create_default_context()
        server: smtplib.SMTP
        if self._wrapped:
            server = smtplib.SMTP_SSL(
                self._host, self._port, local_hostname=self._domain, timeout=self._timeout_s, context=tls
            )
        else:
            server = smtplib.SMTP(self._host, self._port, local_hostname=self._domain, timeout=self._timeout_s)
        with server:
            server.ehlo_or_helo_if_needed()
            encrypted = self._wrapped
            if not encrypted and server.has_extn("starttls"):
                server.starttls(context=tls)
                server.ehlo()
                encrypted = True
            if self._user:
                self._log_in(server, encrypted=encrypted)
            yield server

    def _log_in(self, server: smtplib.SMTP, *, encrypted: bool) -> None:
        if not encrypted and not _is_this_machine(self._host):
            raise MailError(
                f"The mail server {self._host} offers no TLS; the password is not sent in the clear.",
                permanent=False,
                advice="Use smtps://, or a server that offers STARTTLS.",
            )
        server.login(self._user, self._password)

    def _written(self, message: Message) -> EmailMessage:
        mail = EmailMessage(policy=_POLICY)
        mail["From"] = self._sender
        mail["To"] = message.to
        mail["Subject"] = " ".join(message.subject.split())
        mail["Date"] = format_datetime(message.written_at)
        mail["Message-ID"] = self._id(message.message_id)
        if message.in_reply_to:
            mail["In-Reply-To"] = mail["References"] = self._id(message.in_reply_to)
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        mail.add_alternative(message.html, subtype="html")
        for attachment in message.attachments:
            main, _, sub = attachment.media_type.partition("/")
            mail.add_attachment(
                attachment.content, maintype=main, subtype=sub, filename=" ".join(attachment.filename.split())
            )
        # Only now: writing content clears every header of this family.
        mail["Content-Language"] = re.sub(r"[^A-Za-z-]", "", message.language)
        return mail

    def _id(self, local: str) -> str:
        if not _LOCAL_ID.fullmatch(local):
            raise MailError(f"{local[:80]!a} cannot be a message's id.", permanent=True)
        return f"<{local}@{self._domain}>"


def _parsed(url: str) -> SplitResult:
    """Raises `MailAddressError`; the message never holds the URL, which may hold a password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"smtp", "smtps"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        usable = usable and parts.path in {"", "/"} and not parts.query
    except ValueError:
        usable, parts = False, urlsplit("")
    if not usable:
        raise MailAddressError(
            "The mail server's URL is not usable.",
            advice="Write smtp://user:password@host:port or smtps://…, with special characters as %XX.",
            field="smtp_url",
        )
    return parts


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
