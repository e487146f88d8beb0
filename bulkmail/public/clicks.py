"""Clicks, counted: who follows a link, and what only looks at it.

Programs that look for malware follow the links of a message before its reader does, and often after. Told from people
are those that ask with HEAD (and what they ask for otherwise), that say what they are, that say nothing at all, and
that follow many links of one message within seconds. They are counted apart. So a click is held for some seconds until
it is known what came with it, and then added up by campaign and link: who followed it is forgotten. Of one reader a
link counts once in that time.

Bounded: of more readers at a time than `_MOST` the oldest are counted as they stand.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from bulkmail.mail import Click, ClickCount

HELD = 10.0
"""Seconds from the first click of a reader until all that came within them are counted."""

MANY = 4
"""So many different links of one message within that time are followed by a program."""

_MOST = 20_000
_MOST_LINKS = 500  # of one reader
_LONGEST_AGENT = 500
_PROGRAMS = re.compile(
    r"bot\b|bots?[/; )]|crawl|spider|scan|slurp|preview|validator|monitor|headless|phantomjs|puppeteer|playwright|"
    r"selenium|curl/|wget|libwww|python|aiohttp|httpx|okhttp|go-http|java/|apache-httpclient|axios|node-fetch|undici|"
    r"ruby|perl|barracuda|proofpoint|mimecast|forcepoint|trendmicro|symantec|ironport|fortinet|fortiguard|sophos|"
    r"zscaler|bitdefender|kaspersky|avast|cloudmark|safelinks|bingpreview|microsoft office|ms-office|"
    r"existence discovery|googleimageproxy|facebookexternalhit|whatsapp|skypeuripreview|yahoomailproxy",
    re.IGNORECASE,
)

Key = tuple[int, str, str]
"""A campaign's id, a link's, and the variant."""


def is_program(agent: str) -> bool:
    """Return whether a User-Agent says of itself that it is no browser of a person."""
    return not agent.strip() or _PROGRAMS.search(agent[:_LONGEST_AGENT]) is not None


@dataclass(slots=True)
class _Visit:
    """What one reader has followed since ``since``."""

    since: float
    links: set[tuple[Key, str]] = field(default_factory=set)
    """With the User-Agent that followed them."""
    programs: set[str] = field(default_factory=set)
    """The User-Agents that have asked with HEAD."""


class Clicks:
    """Takes clicks, and gives them added up. ``now``: any clock that does not run backwards, in seconds."""

    def __init__(self) -> None:
        self._visits: OrderedDict[tuple[int, int, str], _Visit] = OrderedDict()
        self._people: Counter[Key] = Counter()
        self._scanners: Counter[Key] = Counter()

    def add(self, click: Click, client: str, method: bytes, agent: str, now: float) -> None:
        """Take a click of a right link. ``client``: who asks, where a message is the same for all."""
        reader = click.campaign_id, click.number, "" if click.number else client
        visit = self._visits.get(reader)
        if visit is not None and visit.since + HELD <= now:
            self._count(self._visits.pop(reader))
            visit = None
        if visit is None:
            visit = self._visits[reader] = _Visit(now)
            if len(self._visits) > _MOST:
                self._count(self._visits.popitem(last=False)[1])
        if method == b"HEAD":
            visit.programs.add(agent[:_LONGEST_AGENT])
        if len(visit.links) < _MOST_LINKS:
            visit.links.add(((click.campaign_id, click.link, click.variant), agent[:_LONGEST_AGENT]))

    def due(self, now: float, *, all_of_them: bool = False) -> list[tuple[int, ClickCount]]:
        """Return what is certain by now, and forget it. `back` takes it again."""
        while self._visits:
            reader, visit = next(iter(self._visits.items()))
            if visit.since + HELD > now and not all_of_them:
                break
            del self._visits[reader]
            self._count(visit)
        people, scanners = self._people, self._scanners
        self._people, self._scanners = Counter(), Counter()
        return [
            (key[0], ClickCount(key[1], key[2], people[key], scanners[key])) for key in sorted({*people, *scanners})
        ]

    def back(self, counts: list[tuple[int, ClickCount]]) -> None:
        """Take again what could not be written down."""
        for campaign_id, one in counts:
            self._people[campaign_id, one.link, one.variant] += one.people
            self._scanners[campaign_id, one.link, one.variant] += one.scanners

    def _count(self, visit: _Visit) -> None:
        people = {key for key, agent in visit.links if agent not in visit.programs and not is_program(agent)}
        scanned = {key for key, _agent in visit.links} - people
        if len(people) >= MANY:
            people, scanned = set(), people | scanned
        self._people.update(people)
        self._scanners.update(scanned)
