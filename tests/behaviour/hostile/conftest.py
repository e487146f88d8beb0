"""One campaign to every hostile server there is, sent by the real program over real sockets; the tests read the result.

The mail world is `python -m bulkmail.rehearsal` at 20 times its speed, the patience of the sender 2 seconds for each
step. Each kind of server has a domain of its own, so one run answers for all of them at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkmail.rehearsal import HOSTILE, PERSONAS, Received, body_of, read

SPEED = 20.0
PATIENCE = 2.0
EXPIRE = "9s"
TIMEOUTS = {
    **dict.fromkeys(("greeting", "ehlo", "starttls", "mail", "rcpt", "data", "body", "dot"), f"{PATIENCE:g}s"),
    "connect": "1s",
    "quit": "1s",
}
HTML = "<html><body><p>Grüße, {{ first_name }}</p>\n.\n.dots\n</body></html>\n"


class Rehearsal:
    """The mail world in a process of its own; ends with its input."""

    def __init__(self, popen: Any, store: Path) -> None:
        self.store = store
        self.process = popen(
            [sys.executable, "-m", "bulkmail.rehearsal", "--store", str(store), "--bodies", "all",
             "--speed", str(SPEED)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())
        self.totals: dict[str, float] = {}

    def stop(self) -> None:
        """Everything is on disk afterwards. Whatever it met, it never broke."""
        if self.totals:
            return
        out, err = self.process.communicate(timeout=300)
        assert err == b"", err.decode()
        self.totals = json.loads(out)

    def end(self) -> None:
        """Leave none behind, whatever became of the test."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Domain:
    """What became of the recipients of one domain: in the report, and at its server."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: list[dict[str, str]] = []
        self.attempts: list[dict[str, str]] = []
        self.stored: list[Received] = []

    def seen(self, *columns: str) -> set[tuple[str, ...]]:
        """The distinct values of these columns of recipients.csv."""
        return {tuple(row[column] for column in columns) for row in self.rows}

    def tried(self, *columns: str) -> set[tuple[str, ...]]:
        """The same of attempts.csv."""
        return {tuple(attempt[column] for column in columns) for attempt in self.attempts}

    @property
    def statuses(self) -> set[str]:
        return {row["status"] for row in self.rows}

    @property
    def attempted(self) -> set[int]:
        """How often its recipients were tried."""
        return {int(row["attempts"]) for row in self.rows}

    @property
    def copies(self) -> dict[str, int]:
        """Recipient -> how many copies its server kept."""
        kept = Counter(one.rcpt for one in self.stored)
        return {row["email"]: kept[row["email"]] for row in self.rows}

    def __repr__(self) -> str:
        rows = [f"{r['email']}: {r['status']} {r['category']} {r['stage']} x{r['attempts']}" for r in self.rows]
        lines = [
            f"{a['email']} {a['attempt']}: {a['result']} {a['category']} {a['stage']} {a['smtp_code']} "
            f"{a['duration_ms']} ms {a['tls']} {a['mx_host']} {a['reply'][:90]!r}"
            for a in self.attempts
        ]
        return "\n  ".join([f"<{self.name}: kept {sum(self.copies.values())}", *rows, *lines]) + ">"


class Run:
    """A finished run: its domains by name, and what it cost."""

    def __init__(self, campaign: Any, mail: Rehearsal, most_mb: float) -> None:
        self.campaign = campaign
        self.mail = mail
        self.peak_mb = most_mb
        self.domains: dict[str, Domain] = {}
        for row in campaign.rows():
            self._of(row["email"]).rows.append(row)
        for attempt in campaign.attempts():
            self._of(attempt["email"]).attempts.append(attempt)
        for one in read(str(mail.store)):
            local, _, domain = one.rcpt.rpartition("@")
            written = f"{local}@{domain.encode().decode('idna')}"  # as the list has it
            self._of(written).stored.append(replace(one, rcpt=written))

    def _of(self, address: str) -> Domain:
        name = address.rpartition("@")[2].removesuffix(".test")
        return self.domains.setdefault(name, Domain(name))

    def __getitem__(self, name: str) -> Domain:
        return self.domains[name]

    def body(self, one: Received) -> bytes:
        return body_of(str(self.mail.store), one)

    def check(self, *, kept_unsaid: tuple[str, ...] = ()) -> None:
        """What holds whatever servers do: one row each, no false success, no needless double.

        ``kept_unsaid``: domains whose server keeps a message and says that it did not.
        """
        self.campaign.check_report()
        for name, domain in self.domains.items():
            final = {"delivered", "bounced", "blocked", "expired", "unknown"}
            assert domain.statuses <= final, domain
            kept: dict[str, list[Received]] = defaultdict(list)
            for one in domain.stored:
                kept[one.rcpt].append(one)
            for row in domain.rows:
                copies = kept[row["email"]]
                tries = [attempt for attempt in domain.attempts if attempt["email"] == row["email"]]
                delivered = [attempt for attempt in tries if attempt["result"] == "delivered"]
                unsure = [attempt for attempt in tries if attempt["result"] == "unknown"]
                assert len(delivered) == (row["status"] == "delivered"), domain
                if row["status"] == "delivered":
                    assert copies, domain
                assert {one.message_id for one in copies} <= {row["message_id"]}, domain
                assert len({self.body(one) for one in copies}) <= 1, domain
                assert len({one.mail_from for one in copies}) <= 1, domain
                if name not in kept_unsaid:
                    assert len(copies) <= len(delivered) + len(unsure), domain


def peak_mb(pid: int) -> float:
    """The most memory that a process ever had, in MB; 0 where it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0


class Campaigns:
    """A run that was begun. Several may go on at once: most of what they do is to wait."""

    def __init__(self, running: Any, campaign: Any, mail: Rehearsal) -> None:
        self._running, self._campaign, self._mail = running, campaign, mail
        self._most = 0.0
        self._run: Run | None = None
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def _look(self) -> None:
        while self._running.process.poll() is None:
            self._most = max(self._most, peak_mb(self._running.pid))
            time.sleep(0.05)

    def finished(self) -> Run:
        """What came of it; waits for its end."""
        if self._run is None:
            ended = self._running.wait()
            assert ended.status == 0, ended.said
            self._watch.join()
            self._mail.stop()
            self._run = Run(self._campaign, self._mail, self._most)
        return self._run


Begin = Callable[..., Campaigns]


@pytest.fixture(scope="session")
def begin(tmp_path_factory: pytest.TempPathFactory, world_in: Callable[[Path], Any], popen: Any) -> Iterator[Begin]:
    """``begin(addresses, **settings)``: send one campaign to a hostile world of its own."""
    with contextlib.ExitStack() as ending:

        def started(
            addresses: list[str],
            *,
            files: dict[str, bytes] | None = None,
            more: str = "",
            html: str = HTML,
            subject: str = "",
            **changes: Any,
        ) -> Campaigns:
            folder = tmp_path_factory.mktemp("hostile")
            world = world_in(folder)
            ending.callback(world.close)
            mail = Rehearsal(popen, folder / "mail")
            ending.callback(mail.end)
            world.nameserver = mail.ready["dns"]
            values: dict[str, Any] = {
                "dns": {"timeout": "2s"},
                "smtp": {"timeouts": TIMEOUTS},
                "retry": {"schedule": ["300ms"], "expire_after": EXPIRE},
            }
            values["retry"] |= changes.pop("retry", {})
            world.settings(port=mail.ready["smtp_port"], **values, **changes)
            campaign = world.campaign("hostile", addresses, more=more, html=html)
            if subject:
                text = campaign.yaml.read_text("utf-8").replace('"{{ first_name }}, spring is here"', subject)
                campaign.yaml.write_text(text, "utf-8")
            for name, content in (files or {}).items():
                (campaign.folder / name).write_bytes(content)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SSL_CERT_FILE", mail.ready["ca"])  # whom the sender trusts
                return Campaigns(world.start("-c", "hostile"), campaign, mail)

        yield started


def people(domain: str, count: int = 2, kind: str = "user") -> list[str]:
    return [f"{kind}{number}@{domain}.test" for number in range(1, count + 1)]


@pytest.fixture(name="people", scope="session")
def _people() -> Callable[..., list[str]]:
    return people


APART = {"stops-reading", "stops-midway", "reads-slowly", "early-550", "early-451", "cut",
         "chaos", "one-slow-mx", "shared"}  # fmt: skip
ORDINARY = (
    *("accept", "dead", "slam", "mute", "slow", "closed", "garbage", "one-by-one", "two-replies", "blocklist", "ascii"),
    *("wrong-class", "garbage-dot", "short", "hang-up", "busy", "rate", "no-tls", "broken-tls", "tls-only", "chunking"),
    "one-segment",
)
# Asked for once more, as `tls-454-2.test`, where no mail may go in clear, or to a stranger.
WITHOUT_TLS = (
    *("no-tls", "tls-454", "tls-501", "broken-tls", "tls-garbage", "tls-hangs", "tls-reset", "tls-injected", "tls-old"),
    *("tls-closes", "tls-mute", "tls-no-ehlo"),
)
STRANGERS = ("tls-expired", "tls-self-signed", "tls-wrong-name", "tls-weak")
PROVIDERS = {
    "must": {"mx": [f"{name}-2.test" for name in (*WITHOUT_TLS, "one-segment")], "tls": "required"},
    "checked": {"mx": ["one-segment-3.test", *(f"{name}-2.test" for name in (*STRANGERS, "accept"))], "tls": "verify"},
    "clear": {"mx": ["tls-only-2.test"], "tls": "off"},
}
MANY = ("short", "hang-up", "busy", "rate", "nested-mail", "surplus", "ok-close", "ok-421", "accept")


def to_all() -> list[str]:
    """Every hostile server that is quick with small messages, and those ordinary ones that docs/faults.md names."""
    addresses = [address for name in (*HOSTILE, *ORDINARY) if name not in APART for address in people(name)]
    addresses += [address for name in MANY for address in people(name, 12, "more")]
    addresses += [*people("some-refused", 2, "unknown"), *people("some-refused", 2, "later")]
    addresses += ["refused1@lying-codes.test", "unknown1@no-rset.test", "jürgen@ascii.test", "jürgen@accept.test"]
    addresses += [f"tempfail+1@{name}.test" for name in ("idle-close", "idle-421", "idle-250", "accept")]
    addresses += [f"bounce+{code}@accept.test" for code in (550, 551, 552, 553, 556)]
    addresses += ["tempfail+450@accept.test", "greylist@accept.test", "anna@bücher.test"]
    guarded = (*WITHOUT_TLS, *STRANGERS, "accept", "tls-only", "one-segment")
    addresses += people("one-segment-3")
    return sorted([*addresses, *(address for name in guarded for address in people(f"{name}-2", 1))])


def to_sets() -> list[str]:
    """Many domains of one MX host, an MX set with a slow member, and a mix of all that can go wrong from RCPT on."""
    addresses = [address for number in range(1, 41) for address in people(f"d{number}.shared")]
    addresses += ["tempfail@d7.shared.test", *people("one-slow-mx", 60)]
    return addresses + [address for number in range(1, 11) for address in people(f"chaos{number}", 60)]


def to_groups() -> list[str]:
    """Receivers to whom many recipients go in one transaction, by BDAT where that is offered."""
    addresses = [f"{name}@some-refused.test" for name in ("later1", "anna", "unknown1", "bo", "later2")]
    bdat = ("chunking", "bdat-refused", "bdat-twice", "bdat-nested", "bdat-lost", "bdat-close")
    addresses += [address for name in ("two-recipients", *bdat) for address in people(name, 7)]
    return [*addresses, *people("open-data", 3), *people("421-at-rcpt", 3), *people("dot-close", 3)]


# One after the other: the patience of a sender says nothing where four of them share the processors.


@pytest.fixture(scope="session")
def run(begin: Begin) -> Run:
    """The campaign to every server, with small messages."""
    return begin(to_all(), shaping={"providers": PROVIDERS}).finished()


@pytest.fixture(scope="session")
def big(begin: Begin) -> Run:
    """Messages of some megabytes, to those who have trouble with them."""
    trouble = ("stops-reading", "stops-midway", "reads-slowly", "early-550", "early-451", "cut", "small", "accept")
    addresses = [f"user1@{name}.test" for name in trouble]
    files = {"big.pdf": os.urandom(5_000_000)}
    return begin(addresses, more="attachments: [big.pdf]\n", files=files).finished()


@pytest.fixture(scope="session")
def mixed(begin: Begin) -> Run:
    """Many domains of one host, a set with a slow host, and everything at once."""
    return begin(to_sets(), shaping={"default": {"connections": 5}}).finished()


@pytest.fixture(scope="session")
def everybody(begin: Begin) -> Run:
    """One message for all of them, many recipients a transaction."""
    plain = "<html><body><p>Dear readers,</p>\n.dots\n</body></html>\n"
    readers = 'to: "Our readers <readers@example.com>"\n'
    return begin(to_groups(), more=readers, html=plain, subject="Spring is here").finished()


@pytest.fixture(scope="session", autouse=True)
def _names() -> None:
    """A row of docs/faults.md whose server is gone would test nothing."""
    assert set(HOSTILE) >= APART
    assert set(PERSONAS) | set(HOSTILE) >= {*ORDINARY, *WITHOUT_TLS, *STRANGERS, *MANY}
