"""Who is not mailed, as a CSV that is read as a suppress list, and taken back by `bulkmail suppress import`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bulkmail.report.cells import guarded, time_cell
from bulkmail.report.lines import MARK, lines
from bulkmail.report.lists import Write

SUPPRESSION_COLUMNS = ("email", "domain", "scope", "reason", "source", "since", "hash")


def write_suppressions(
    write: Write, pages: Iterable[Sequence[tuple[str | None, str, str, str, float, int]]]
) -> tuple[int, int]:
    """Write pages of (address or "@" and domain, scope, reason, source, epoch seconds, hash).

    Return how many there are, and of how many only the hash is known: neither address nor domain is written of these.
    """
    write(MARK + lines([SUPPRESSION_COLUMNS]))
    count = nameless = 0
    for page in pages:
        if not page:
            continue
        addresses, scopes, reasons, sources, times, hashes = zip(*page, strict=True)
        emails = guarded("" if one is None or one.startswith("@") else one for one in addresses)
        domains = [one[1:] if one is not None and one.startswith("@") else "" for one in addresses]
        columns = (guarded(scopes), guarded(reasons), guarded(sources))
        since = [time_cell(at) for at in times]
        write(lines(zip(emails, domains, *columns, since, [f"{number:016x}" for number in hashes], strict=True)))
        count += len(page)
        nameless += addresses.count(None)
    return count, nameless
