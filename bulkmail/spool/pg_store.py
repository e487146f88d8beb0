"""The whole store in PostgreSQL, as one machine has it: the contract of `SqliteStore`, and this machine's life in it.

A machine is known by its *identity*, kept in a folder of its own beside its journal; each start of its process is a new
*life* with a number of its own, the epoch. Lives end by being closed, or when others have not heard of them for longer
than their lease.

What a dead life had claimed. Leases on destinations are free as soon as it is declared over, so the others go on with
everything that was not claimed. Its claims wait for as long as an ambiguous message waits for its retry
(`unknown_after`): if the same machine comes back within that time, its journal tells which of them were sent, which are
ambiguous and which never left, and nobody is mailed twice that need not be. Only then do others take them, and without
that journal its silence proves nothing: each of them is ambiguous, and is tried again at once if it was the first time,
later if not, or never (`on_unknown: keep`, or enough copies have left). A mark "its dot has begun" in the database
before each dot would tell more, at the price of a second write for every message; it is not made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import psycopg

from bulkmail.failpoints import failpoint
from bulkmail.mail import OwnFault
from bulkmail.shaping import RetrySettings
from bulkmail.spool.journal import Journalled
from bulkmail.spool.pg_database import RECOVERED, PgDatabase, check_version, open_database, refused, repeated, words
from bulkmail.spool.pg_intake import ROWS, SITES
from bulkmail.spool.pg_settling import PgSettling
from bulkmail.spool.rows import Held, Recovered, campaign_of, id_range
from bulkmail.spool.scrubbing import scrub
from bulkmail.spool.sites import KNOWS_SITES, SiteFact, Sites

_CHUNK = 10_000


class Taken(NamedTuple):
    """What `PostgresStore.take_leases` got: key -> number of a share -> whether nobody ever had it.

    ``otherwise``: key -> the number of shares that somebody holds it in who has other settings, and who that is.
    """

    shares: dict[str, dict[int, bool]]
    otherwise: dict[str, tuple[int, str]]


class PostgresStore(PgSettling, Sites):
    """The durable state in PostgreSQL. One thread; every method a short transaction.

    Raises Refused when the database cannot be used, OwnFault when it cannot be used later (nothing is changed then).
    ``told``: hears, from this thread, of a commit whose fate nobody knows yet.
    """

    _db: PgDatabase

    def __init__(
        self,
        dsn: str,
        *,
        identity: str,
        name: str = "",
        boot: str = "",
        lease: float = 15.0,
        told: Callable[[str], None] | None = None,
    ) -> None:
        database = open_database(dsn, told)
        self.identity = identity
        self.boot = boot
        self.lease = lease
        self._held: dict[int, Held] = {}
        self._open_claims: dict[int, int] = {}
        self._last_attempt: dict[int, int] = {}
        try:
            super().__init__(database)
            self._begin_life(name or identity)
            scrub(database, ended_only=True)
        except BaseException:
            database.close()
            raise

    def __repr__(self) -> str:
        return f"<PostgresStore {self._db.path} epoch={self.epoch} claimed={len(self._held)}>"

    @property
    def epoch(self) -> int:
        """The number of this life."""
        return self._db.epoch

    def _begin_life(self, name: str) -> None:
        with self._db.transaction():
            values = (self.identity, name, self.boot, self.lease, self.lease)
            epoch: int = (self._db.execute("begin_life", values).fetchone() or (0,))[0]
        self._db.epoch = epoch

    @repeated
    def remove_campaign(self, campaign_id: int, limit: int = _CHUNK) -> bool:
        """Take away about ``limit`` rows of a campaign; see `SqliteStore.remove_campaign`."""
        low, high = id_range(campaign_id)
        with self._db.transaction("begin_reading"):
            claimed = (self._db.execute("still_claimed", (campaign_id, low, high)).fetchone() or (True,))[0]
        if claimed:
            raise ValueError(f"campaign {campaign_id} is being sent; stop it first")
        self.set_state(campaign_id, "removing", 0.0)
        with self._db.transaction():
            self._db.execute("remove_claims", (campaign_id,))
            for query in ("remove_due", "remove_attempts", "remove_outcomes", "remove_recipients"):
                if self._db.execute(query, (low, high, limit)).rowcount == limit:
                    return False
            for query in ("remove_queues", "remove_totals", "remove_reading", "remove_snapshot", "drop_input_files"):
                self._db.execute(query, (campaign_id,))
            self._db.execute("remove_attempt_number", (campaign_id,))
            self._db.execute("remove_campaign", (campaign_id,))
        return True

    def close(self) -> None:
        """End this life and close the connection. What is still claimed waits for the next start, or for the others."""
        try:
            self._end_life()
        except OwnFault:
            pass  # the lease runs out by itself
        finally:
            self._db.close()

    @repeated
    def _end_life(self) -> None:
        with self._db.transaction():
            self._db.execute("let_all_leases_go", (self.epoch,))
            self._db.execute("end_life", (self.epoch,))
            # not by what we think we hold: we may never have heard that a claim was committed
            self._db.execute("nothing_left_to_recover", {"epoch": self.epoch})
            self._tell(ROWS)

    # sites

    site_facts = repeated(Sites.site_facts)

    @repeated
    def remember(self, facts: Iterable[SiteFact], forgotten: Iterable[tuple[str, str]] = ()) -> None:
        """Write facts and take away the ``forgotten``; see `Sites.remember`."""
        newest = {(fact.site, fact.fact): fact for fact in facts}
        with self._db.transaction():
            self._db.arrays("remember_facts", list(newest.values()))
            self._db.arrays("forget_facts", list(forgotten))

    def site_facts_of(self, sites: list[str], now: float) -> list[SiteFact]:
        """What is known of these and has not expired."""
        with self._db.transaction("begin_reading"):
            return [SiteFact(*row) for row in self._db.execute("site_facts_of", (sites, now)).fetchall()]

    # what earlier lives and others left

    def beat(self) -> None:
        """Keep this life until its heart beats."""
        with self._db.transaction("begin_reading"):
            self._db.execute("heartbeat", (self.epoch,))

    def elsewhere(self) -> bool:
        """Whether another life of this machine's identity, of another boot, is being heard of: a copy of its folder."""
        with self._db.transaction("begin_reading"):
            lives = self._db.execute("earlier_lives", (self.identity, self.epoch)).fetchall()
        return any(alive and boot != self.boot for _, boot, alive in lives)

    @repeated
    def recover(self, journalled: Journalled, boot: str, retry: RetrySettings, now: float) -> Recovered:
        """Settle or give back what earlier lives of this machine left claimed; see `SqliteStore.recover`."""
        summary = Recovered()
        with self._db.transaction("begin_reading"):
            lives = self._db.execute("earlier_lives", (self.identity, self.epoch)).fetchall()
        self._check_not_behind(journalled, [epoch for epoch, *_ in lives])
        for epoch, before, _ in lives:
            trusted = before == boot != "" and journalled.found and not journalled.damaged
            found = self._recover_life(epoch, journalled, trusted=trusted, retry=retry, now=now)
            summary = Recovered(*(one + more for one, more in zip(summary.counts, found.counts, strict=True)))
        return summary

    def _check_not_behind(self, journalled: Journalled, lives: Iterable[int]) -> None:
        """Refuse a database that has forgotten what our journal tells of; see `SqliteStore`."""
        if not journalled.replies:
            return
        with self._db.transaction("begin_reading"):
            newest = (self._db.execute("last_campaign").fetchone() or (0,))[0]
            ids = list({identity for identity, _ in journalled.replies})
            # in this order: what others take over in between counts as claimed and as an attempt, and not as neither
            claimed = {identity for epoch in lives for identity, _ in self._left_by(epoch)}
            known: dict[int, int] = dict(self._db.execute("attempts_known", (ids,)).fetchall())
        for identity, number in journalled.replies:
            booked = known.get(identity)
            behind = campaign_of(identity) > newest if booked is None else number > booked + (identity in claimed)
            if behind:
                raise refused(
                    self._db.dsn,
                    "knows less than this machine's journal: it is an older state, and what was sent since would be "
                    "sent again; restore the newest one",
                )

    def recover_others(self, retry: RetrySettings, now: float) -> Recovered:
        """Take over what machines had claimed that are gone and did not come back within ``retry.unknown_after``."""
        with self._db.transaction("begin_reading"):
            lives = self._db.execute("recoverable", (retry.unknown_after,)).fetchall()
        summary = Recovered()
        for epoch, _ in lives:
            waited = retry.unknown_after
            found = self._recover_life(epoch, Journalled(), trusted=False, retry=retry, now=now, waited=waited)
            summary = Recovered(*(one + more for one, more in zip(summary.counts, found.counts, strict=True)))
        return summary

    @repeated
    def _recover_life(
        self,
        epoch: int,
        journalled: Journalled,
        *,
        trusted: bool,
        retry: RetrySettings,
        now: float,
        waited: float = 0.0,
    ) -> Recovered:
        with self._db.transaction():
            row = self._db.execute("lock_life", (epoch,)).fetchone()
            if row is None or row[0] == RECOVERED:
                return Recovered()
            held = dict(self._left_by(epoch))
            found = self._settle_left(held, journalled, trusted=trusted, retry=retry, now=now, waited=waited)
            failpoint("mid-recovery")
            self._db.execute("drop_claims_of", (epoch,))
            self._db.execute("let_all_leases_go", (epoch,))
            self._db.execute("life_recovered", (epoch,))
            self._tell(ROWS)
        return found

    def _left_by(self, epoch: int) -> Iterator[tuple[int, Held]]:
        for identity, queue_id, claimed_at in self._db.execute("open_claimed", (epoch,)).fetchall():
            yield identity, Held.new(0, queue_id, claimed_at)
        for identity, queue_id, *rest in self._db.execute("due_claimed", (epoch,)).fetchall():
            yield identity, Held(0, queue_id, *rest)

    # leases

    @repeated
    def take_leases(
        self,
        wanted: Mapping[str, tuple[int, int]],
        together: Iterable[Collection[str]] = (),
        held: Collection[str] = (),
    ) -> Taken:
        """Take what is free of ``wanted``: key -> how many of its shares, of how many. Raises OwnFault when not live.

        Keys that are wanted ``together`` are of no use alone: those that are not ``held`` already are left to others
        where one of them is not to be had.
        """
        keys, most, shares = list(wanted), [want for want, _ in wanted.values()], [of for _, of in wanted.values()]
        values = {"epoch": self.epoch, "keys": keys, "most": most, "shares": shares}
        taken = Taken({}, {})
        with self._db.transaction():
            self._only_live()
            self._db.execute("lock_leases")
            for key, number, fresh in self._db.execute("take_leases", values).fetchall():
                taken.shares.setdefault(key, {})[number] = fresh
            if len(taken.shares) < len(keys):
                for key, of, name in self._db.execute("divided_otherwise", (keys, shares)).fetchall():
                    taken.otherwise[key] = (of, name)
                useful = {key for group in together if taken.shares.keys() >= set(group) for key in group}
                useless = {key for group in together for key in group} & taken.shares.keys() - useful - set(held)
                self._free_shares([(key, number) for key in useless for number in taken.shares.pop(key)])
        return taken

    @repeated
    def let_shares_go(self, shares: Iterable[tuple[str, int]]) -> None:
        """Others may have these (key, number); they are told."""
        with self._db.transaction():
            self._free_shares(sorted(shares))
            self._tell(ROWS)

    def _free_shares(self, shares: list[tuple[str, int]]) -> None:
        if shares:
            self._db.execute("let_shares_go", (*map(list, zip(*shares, strict=True)), self.epoch))

    def lease_holder(self, key: str) -> str:
        """The name of the machine that holds it, "" when nobody does."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("lease_holder", (key,)).fetchone()
        return "" if row is None else str(row[0])


def check_not_elsewhere(store: PostgresStore, folder: str) -> None:
    """Raise Refused where a copy of this machine's folder is at work on another machine."""
    if store.elsewhere():
        raise refused(
            store.database.dsn,
            f"knows this machine already, from elsewhere: {folder} is a copy of another machine's; "
            "remove the file machine-id in it",
        )


def forget_sites(dsn: str, site: str | None) -> int:
    """Forget what is known of one site, or of all; the machines that are at work hear of it. Raises Refused, OwnFault.

    Makes and changes no tables.
    """
    database = PgDatabase(dsn)
    try:
        if check_version(database) < KNOWS_SITES:
            raise refused(dsn, "is not there, or of a version that remembers nothing of sites")
        return _forget(database, site)
    except psycopg.Error as error:
        raise refused(dsn, f"cannot be used ({words(error)})") from error
    finally:
        database.close()


def _forget(database: PgDatabase, site: str | None) -> int:
    with database.transaction():
        if site is None:
            count = database.execute("forget_sites").rowcount
        else:
            count = database.execute("forget_site", {"site": site}).rowcount
        database.execute("notify", (SITES,))
    return count
