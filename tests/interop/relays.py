"""A relay that others wrote: Postfix that takes mail from who signs in, and Dovecot that judges it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.interop.servers import PATIENCE, Missing, Server, postfix
from tests.ports import free_port

RELAY_CF = """\
smtpd_sasl_type = dovecot
smtpd_sasl_path = {place}/dovecot/auth
smtpd_sasl_auth_enable = yes
smtpd_sasl_security_options = noanonymous
smtpd_tls_auth_only = yes
smtpd_tls_loglevel = 2
smtpd_recipient_restrictions = permit_sasl_authenticated, reject_unauth_destination, reject
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sender_restrictions = permit_sasl_authenticated, reject
smtpd_delay_reject = no
smtpd_error_sleep_time = 0
smtpd_tls_session_cache_database = btree:{place}/data/smtpd_scache
"""

DOVECOT_CONF = """\
base_dir = {place}/dovecot/run
state_dir = {place}/dovecot
log_path = {place}/log/dovecot
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-256
auth_failure_delay = 0 secs
passdb {{
  driver = passwd-file
  args = {place}/dovecot/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
service auth {{
  unix_listener {place}/dovecot/auth {{
    mode = 0666
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""
USER, PASSWORD = "campaigns@interop.test", "Zwölf Boxkämpfer = 12, k."


@dataclass
class Relay:
    """A Postfix that takes mail from who signs in, which Dovecot judges; ``smtps`` is its port with implicit TLS."""

    postfix: Server
    smtps: int
    user: str = USER
    password: str = PASSWORD

    @property
    def port(self) -> int:
        return self.postfix.port

    @property
    def certificate(self) -> str:
        return str(self.postfix.kept.parents[2] / "etc" / "cert.pem")

    @contextlib.contextmanager
    def another_password(self) -> Iterator[None]:
        """Meanwhile the password is not the one that people know."""
        users = self.postfix.kept.parents[2] / "dovecot" / "users"
        before = users.read_text("utf-8")
        users.write_text(f"{self.user}:{{PLAIN}}another one\n", "utf-8")
        yield
        users.write_text(before, "utf-8")


@contextlib.contextmanager
def postfix_and_dovecot() -> Iterator[Relay]:
    """Both, private to a test."""
    dovecot = shutil.which("dovecot", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if dovecot is None:
        raise Missing("dovecot is not installed (Debian: dovecot-core)")
    smtps = free_port()
    wrapped = f"127.0.0.1:{smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n"
    with postfix(connections=50, messages=0, more=RELAY_CF, services=wrapped) as server:
        place = server.kept.parents[2]
        (place / "dovecot").mkdir()
        (place / "dovecot" / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n", "utf-8")
        (place / "dovecot" / "dovecot.conf").write_text(DOVECOT_CONF.format(place=place))
        with (place / "log" / "dovecot.said").open("wb") as said:
            judge = subprocess.Popen(
                [dovecot, "-F", "-c", str(place / "dovecot" / "dovecot.conf")],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip
            try:
                deadline = time.monotonic() + PATIENCE
                while not (place / "dovecot" / "auth").exists():
                    assert judge.poll() is None, (place / "log" / "dovecot.said").read_text()
                    assert time.monotonic() < deadline, f"no socket of Dovecot; {place}/log says why"
                    time.sleep(0.02)
                yield Relay(server, smtps)
            finally:
                judge.terminate()
                try:
                    judge.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    judge.kill()
                    judge.wait()
