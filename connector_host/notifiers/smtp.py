"""E-mail over SMTP, with STARTTLS or TLS and a login, by the standard library from a worker thread."""

import base64
import os
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from pathlib import Path
from typing import Any, ClassVar

import anyio.to_thread

from connector_host.model.errors import BadSetting, NoticeUndelivered
from connector_host.model.guarded import Guarded
from connector_host.ports.parts import Notice, Surroundings

SECONDS = 30
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class MailSettings(Guarded, frozen=True):
    """The host manifest's `smtp` section; `password` is env:VARIABLE or file:PATH, read for each mail.

    `security` is `starttls` (the default), `tls`, or `none`, which only a server on this machine may have.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"password"})
    host: str = ""
    port: int = 0
    security: str = "starttls"
    sender: str = ""
    user: str = ""
    password: str = ""
    ca_bundle: str = ""


class SmtpNotifier:
    """The notifier `smtp`."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._settings = settings_of(surroundings.options("smtp"))

    async def notify(self, notice: Notice) -> None:
        """Send one mail to all recipients; raises NoticeUndelivered, naming whom it did not reach."""
        await anyio.to_thread.run_sync(self._send, notice)

    def _send(self, notice: Notice) -> None:
        settings = self._settings
        where = f"{settings.host}:{settings.port}"
        try:
            with _connected(settings) as server:
                if settings.user:
                    _log_in(server, settings.user, _password(settings.password))
                refused = server.send_message(_message(notice, settings.sender), settings.sender, notice.recipients)
        except smtplib.SMTPAuthenticationError as error:
            raise NoticeUndelivered(f"The mail server {where} refuses the login ({error.smtp_code}).") from None
        except smtplib.SMTPRecipientsRefused as error:
            raise NoticeUndelivered(f"The mail server {where} refuses {', '.join(error.recipients)}.") from error
        except (smtplib.SMTPException, OSError) as error:
            raise NoticeUndelivered(f"The mail server {where} could not be used: {error}.") from error
        except ValueError as error:  # an address that cannot be written, say
            to = ", ".join(notice.recipients)
            raise NoticeUndelivered(f"The mail to {to} cannot be written: {error}.") from error
        if refused:
            raise NoticeUndelivered(f"The mail server {where} refuses {', '.join(refused)}.")


def settings_of(section: Mapping[str, Any]) -> MailSettings:
    """Return the settings; raises BadSetting."""
    try:
        settings = MailSettings(**section)
    except TypeError:
        known = ", ".join(MailSettings.__struct_fields__)
        raise BadSetting(f"The host manifest's smtp section may hold: {known}.") from None
    if not settings.host or not settings.sender:
        raise BadSetting("The notifier 'smtp' needs the host manifest's smtp section with host and sender.")
    if settings.security not in _PORTS:
        raise BadSetting(f"smtp: security is one of {', '.join(_PORTS)}, not '{settings.security}'.")
    if settings.security == "none" and settings.host not in _LOOPBACK:
        raise BadSetting("smtp: mail travels unencrypted only to a server on this machine; use starttls or tls.")
    if settings.password and settings.password.partition(":")[0] not in {"env", "file"}:
        raise BadSetting("smtp: give the password as env:VARIABLE or file:PATH, not itself.")
    if type(settings.port) is not int:
        raise BadSetting("smtp: port is a whole number.")
    values = {name: getattr(settings, name) for name in MailSettings.__struct_fields__}
    return MailSettings(**{**values, "port": settings.port or _PORTS[settings.security]})


def _connected(settings: MailSettings) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=settings.ca_bundle or None)
    if settings.security == "tls":
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=SECONDS, context=context)
    server = smtplib.SMTP(settings.host, settings.port, timeout=SECONDS)
    if settings.security == "starttls":
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server


def _log_in(server: smtplib.SMTP, user: str, password: str) -> None:
    """Log in; smtplib writes names and passwords in ASCII alone, and SASL PLAIN takes UTF-8 (RFC 4616, 2)."""
    if user.isascii() and password.isascii():
        server.login(user, password)
        return
    server.ehlo_or_helo_if_needed()
    if "PLAIN" not in server.esmtp_features.get("auth", "").upper().split():
        raise smtplib.SMTPNotSupportedError("a login beyond ASCII needs AUTH PLAIN, which it does not offer")
    given = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    code, answer = server.docmd("AUTH", f"PLAIN {given}")
    if code not in {235, 503}:  # RFC 4954, 6: taken, or logged in already
        raise smtplib.SMTPAuthenticationError(code, answer)


def _password(source: str) -> str:
    kind, _, place = source.partition(":")
    if kind == "env":
        if place not in os.environ:
            raise NoticeUndelivered(f"The environment variable {place}, for the mail server's password, is not set.")
        return os.environ[place]
    return Path(place).read_text("utf-8").rstrip("\r\n") if kind == "file" else ""


def _message(notice: Notice, sender: str) -> EmailMessage:
    for address in notice.recipients:
        if parseaddr(address)[1] != address:
            raise ValueError(f"{address!r} is not one address")
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(notice.recipients)
    message["Subject"] = notice.subject
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = make_msgid(domain="connector-host.invalid")
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice answers it
    message["X-Connector-Host-Event"] = notice.event
    message.set_content(notice.text)
    return message
