"""The options of `twistd bulkmail`, checked, and the service they make.

Options and makeService only validate: twistd forks after them, and neither thread nor process nor database would
survive that. A refusal prints every problem on stderr and exits with 1; wrong usage exits with 2.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from getopt import GetoptError, getopt
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NoReturn

from twisted.application.service import IService
from twisted.python import usage

from bulkmail.exit_status import REFUSED, USAGE
from bulkmail.forked import Forked
from bulkmail.logs import service_log
from bulkmail.machine import own_name
from bulkmail.mail import BulkmailError, OwnFault, Refused, answer_of, checked
from bulkmail.settings import Settings, load_settings
from bulkmail.spool import in_use

if TYPE_CHECKING:
    from bulkmail.delivery import Prepared
    from bulkmail.order import Order

WHAT = "give one of -c campaign.yaml and --watch folder"
_NEITHER = (
    "without either, spool must be postgresql://… (one more machine), or public or inbound.listen be set (only for "
    "what comes back)"
)
_SPEEDS = {"real": 1.0, "max": 10_000.0}
_NO_DAEMON = re.compile(r"-[beoh]*n")  # among twistd's flags, before the first that takes a value


class Options(usage.Options):
    """The command line of ``twistd bulkmail``."""

    synopsis = "[-c campaign.yaml | --watch campaigns/] [options]"
    longdesc = (
        "Sends a campaign folder (campaign.yaml, templates, a recipients CSV) to every recipient, and reports on each. "
        "Exit status in the foreground: 0 every row is final; 1 refused, nothing was sent; 2 wrong usage; 3 stopped "
        "before the end (run the same command again to go on)."
    )
    optParameters = [
        ["campaign", "c", None, "the campaign.yaml to send (or its folder)"],
        ["watch", None, None, "a folder to watch: each campaign folder that is dropped into it is sent"],
        ["settings", None, None, "the operator's settings (default: ./bulkmail.yaml when it is there)"],
        ["speed", None, None, "with --rehearse: what waits are divided by, or `max` or `real` (default: 600)"],
    ]
    optFlags = [
        ["rehearse", None, "send to a simulated world on this machine; nothing leaves it"],
        ["once", None, "end when every row had its first attempt (status 3 if rows remain)"],
        ["noticed", None, "the notices about settings and campaign were shown already; do not log them"],
        ["accept-changes", None, "go on although the campaign's files have changed, for the rows not sent yet"],
    ]

    def parseOptions(self, options: list[str] | None = None) -> None:
        """Parse as `usage.Options` does, but exit with 2 on wrong usage."""
        try:
            self._refuse_repeated(sys.argv[1:] if options is None else options)
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as error:
            sys.stderr.write(f"Usage: twistd [-n] bulkmail {self.synopsis}\ntwistd bulkmail: {error}\n")
            raise SystemExit(USAGE) from None

    def parseArgs(self, *arguments: str) -> None:
        """Refuse what is no option: most likely a campaign without its -c. Raises usage.UsageError."""
        if arguments:
            raise usage.UsageError(f"give the campaign with -c {arguments[0]}")

    def _refuse_repeated(self, options: list[str]) -> None:
        """Refuse an option that takes one value and has several: all but the last would be ignored."""
        try:
            found, _ = getopt(options, self.shortOpt, self.longOpt)
        except GetoptError:
            return  # told by what reads them next
        short = {f"-{option[1]}": option[0] for option in self.optParameters if option[1]}
        valued = {option[0] for option in self.optParameters}
        names = [short.get(name, name.lstrip("-")) for name, _ in found]
        for name in dict.fromkeys(names):
            if name in valued and names.count(name) > 1:
                more = "; send one campaign after the other, or watch their folder" if name == "campaign" else ""
                given = "-c" if name == "campaign" else f"--{name}"
                raise usage.UsageError(f"{given} is given {names.count(name)} times, and takes one value{more}")

    def postOptions(self) -> None:
        """Refuse options that exclude each other. Raises usage.UsageError."""
        both = self["campaign"] is not None and self["watch"] is not None
        if both or (self["campaign"] is None and self["watch"] is None and self["settings"] is None):
            raise usage.UsageError(WHAT)
        if self["campaign"] is None:
            for name in ("rehearse", "once", "accept-changes"):
                if self[name]:
                    raise usage.UsageError(f"--{name} goes with -c")
        if self["watch"] is not None and not os.path.isdir(self["watch"]):
            raise usage.UsageError(f"--watch: {self['watch']} is not a folder")
        if self["speed"] is not None and not self["rehearse"]:
            raise usage.UsageError("--speed goes with --rehearse")
        self["speed"] = self._speed(self["speed"])

    @staticmethod
    def _speed(text: str | None) -> float | None:
        if text is None:
            return None
        if text in _SPEEDS:
            return _SPEEDS[text]
        try:
            speed = float(text)
        except ValueError:
            speed = 0.0
        if not 1.0 <= speed <= 100_000:
            raise usage.UsageError(f"--speed: {text!r} is neither `max` nor `real` nor a number from 1 to 100000")
        return speed


def refuse(text: str) -> NoReturn:
    """Print the reason on stderr and exit with 1."""
    sys.stderr.write(text + "\n")
    raise SystemExit(REFUSED)


def makeService(options: Options) -> IService:
    """Check everything, then make the service. Exits with 1 when something is wrong; nothing was sent then."""
    from twisted.internet import reactor  # twistd has chosen it by now

    try:
        order = order_of(options, os.getcwd())
        from bulkmail.service import Bulkmail  # noqa: PLC0415 - see _checked_apart

        log = service_log(options.parent or {}, order.settings.log.format, order.settings.log.level)
        return Bulkmail(reactor, order, log)
    except usage.UsageError as error:
        sys.stderr.write(f"Usage: twistd [-n] bulkmail {options.synopsis}\ntwistd bulkmail: {error}\n")
        raise SystemExit(USAGE) from None
    except Refused as refused:
        refuse(str(refused))
    except BulkmailError as error:
        refuse(f"bulkmail: {error}")


def order_of(options: Options, cwd: str) -> Order:
    """Check the options, settings and campaign. Raises Refused with every problem of all three."""
    problems: list[Any] = []
    try:
        settings = _settings(options, cwd)
    except Refused as refused:
        problems += refused.problems
        settings = Settings(spool=os.sep)  # for finding the campaign's problems too; nothing is opened
    prepared: Prepared | None = None
    if options["campaign"] is not None:
        try:
            prepared = _checked_apart(options, cwd, settings)
        except Refused as refused:
            problems += refused.problems
    if problems:
        raise Refused(problems)
    if options["campaign"] is None and options["watch"] is None and not settings.shared and not _takes_in(settings):
        raise usage.UsageError(f"{WHAT}; {_NEITHER}")
    if not options["rehearse"]:
        holder = in_use(settings.place)
        if holder:
            raise BulkmailError(f"{settings.place} is in use by process {holder}; stop that one, or use another spool")
    from bulkmail.order import SPEED, Order  # noqa: PLC0415 - see _checked_apart

    if prepared is not None and not options["rehearse"]:
        _look_ahead(options, settings, prepared)
    return Order(
        settings=settings,
        prepared=prepared,
        watch=None if options["watch"] is None else os.path.abspath(os.path.join(cwd, options["watch"])),
        rehearse=bool(options["rehearse"]),
        speed=(options["speed"] or SPEED) if options["rehearse"] else 1.0,
        once=bool(options["once"]),
        accept_changes=bool(options["accept-changes"]),
        foreground=foreground(),
        problems=[] if options["noticed"] else [*settings.warnings, *(prepared.notices if prepared else ())],
        again=None if options["rehearse"] else lambda: _settings(options, cwd),
        prepare=lambda settings: _again(options, cwd, settings),
    )


def _settings(options: Options, cwd: str) -> Settings:
    """Read the settings, and the texts of the page that they name. Raises Refused."""
    settings = load_settings(options["settings"], cwd, options["campaign"])
    if settings.public is not None:
        from bulkmail.public import texts  # noqa: PLC0415 - most services have no page for unsubscribing

        texts(settings.public.texts)
    return settings


def _takes_in(settings: Settings) -> bool:
    return settings.public is not None or (settings.inbound is not None and bool(settings.inbound.listen))


def _again(options: Options, cwd: str, settings: Settings) -> Prepared | None:
    """Check the campaign once more, while the spool is this process's. Raises Refused, also where its files changed."""
    if options["campaign"] is None:
        return None
    prepared = _prepared(options, cwd, settings)
    _look_ahead(options, settings, prepared)
    return prepared


def _look_ahead(options: Options, settings: Settings, prepared: Prepared) -> None:
    """Raise Refused where the spool has the campaign in another way.

    Of a shared one it is told when it is opened: other machines open campaigns meanwhile.
    """
    from bulkmail.delivery import look_ahead  # noqa: PLC0415 - see _checked_apart

    if not settings.shared:
        ahead = look_ahead(prepared, settings, accept_changes=bool(options["accept-changes"]))
        if ahead.refused is not None:
            raise ahead.refused


def _checked_apart(options: Options, cwd: str, settings: Settings) -> Prepared:
    """Check the campaign in a child: what only the check needs, this process never has in memory. Raises Refused.

    Meanwhile it imports what sends. So nothing above may import that: the child would wait for it.
    """

    def work() -> tuple[Any, ...]:
        try:
            return "checked", _prepared(options, cwd, settings).plain
        except BulkmailError as error:
            return answer_of(error if isinstance(error, Refused) else OwnFault(str(error)))

    child = Forked(work)
    import bulkmail.service  # noqa: PLC0415, F401
    from bulkmail.delivery import Prepared  # noqa: PLC0415

    _, plain = checked(child.result())
    return Prepared.of(plain, options["campaign"], settings.spool, follow=True)


def _prepared(options: Options, cwd: str, settings: Settings) -> Prepared:
    """Check the campaign; unless it is rehearsed, what receivers will take amiss is among its notices."""
    from bulkmail.delivery import prepare, with_copies  # noqa: PLC0415 - see _checked_apart
    from bulkmail.preflight import sender_notices  # noqa: PLC0415

    rehearsal = bool(options["rehearse"])
    prepared = prepare(os.path.join(cwd, options["campaign"]), settings, rehearsal=rehearsal)
    if rehearsal:
        return prepared
    if not settings.shared:  # no database is connected to before the fork
        prepared = with_copies(prepared, settings)
    about_sender = sender_notices(prepared.campaign, settings, settings.hostname or own_name())
    return replace(prepared, notices=(*prepared.notices, *about_sender))


def foreground() -> bool:
    """Return whether twistd runs in the foreground (``--nodaemon``)."""
    own = takewhile(lambda argument: argument != "bulkmail", sys.argv[1:])
    return any(argument.startswith("--nod") or _NO_DAEMON.match(argument) for argument in own)
