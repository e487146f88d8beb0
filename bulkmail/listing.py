"""Lists that are made of an earlier campaign: those who did not get it, or those who did.

campaign.yaml names the campaign (`rest_of`, `got`), and the spool knows its rows. They are written into a temporary
file without a name, which goes with its process, and from there on are a list like any other: read, counted, and proved
to be the same when the reading goes on. A campaign that has ended does not change, so each process that needs the list
makes it anew and finds the same.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from bulkmail.campaign import EarlierList
from bulkmail.campaign import Ingest as IngestOfFiles
from bulkmail.mail import BulkmailError, Problem, RecipientRow, Refused, Status, answer_of, can_be_tried_again
from bulkmail.suppressing import Suppressing

Wanted = Callable[[str, str], bool]
"""Whether a row with this status and category is taken."""

_ROWS = 2000
_HAVE_IT = frozenset({Status.DELIVERED, Status.UNKNOWN})
_MAY_GET_IT = frozenset({Status.PENDING, Status.DEFERRED})


class Ingest(IngestOfFiles):
    """The worker that reads lists (`bulkmail.campaign.ingest`), and makes those that are made of a campaign before.

    Further options of ``open``: ``suppressions`` (where it is looked up who is not mailed, `suppressing.Suppressing`),
    ``lenient`` (whether that may fail).
    """

    def handle(self, job: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the answer to one job; a list that cannot be made is refused like one that cannot be read."""
        if job[0] == "open":
            options = dict(job[1])
            try:
                for name in ("files", "suppress"):
                    options[name] = [_made(given) for given in options.get(name) or ()]
            except BulkmailError as error:
                return answer_of(Refused([Problem("", 0, 0, str(error))]))
            if suppressions := options.pop("suppressions", None):
                options["look_up"] = Suppressing(*suppressions, lenient=options.pop("lenient", False))
            job = ("open", options)
        return super().handle(job)


def _made(given: Any) -> EarlierList | Any:
    path = EarlierList.of(given)
    if isinstance(path, EarlierList):
        make_list(path)
    return path


def make_list(path: EarlierList) -> None:
    """Make the list of the rows in its spool; it can be opened then. Raises BulkmailError with a sentence."""
    from bulkmail.report import write_addresses, write_list  # noqa: PLC0415 - most lists are files, and need none of it
    from bulkmail.spool import ENDED, open_reader  # noqa: PLC0415

    reader = open_reader(path.spool)
    try:
        row = find_campaign(reader, path.campaign)
        folder = path.spool if os.path.isdir(path.spool) and os.access(path.spool, os.W_OK) else None
        path.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - open for as long as the list is
        if path.word == "got":
            have_it = _HAVE_IT if row.state in ENDED else _HAVE_IT | _MAY_GET_IT
            write_addresses(path.file.write, batches(reader, row.id, lambda status, _: status in have_it))
        else:
            check_ended(row)
            wanted: Wanted = (lambda status, _: status in path.statuses) if path.statuses else can_be_tried_again
            write_list(path.file.write, files_of(reader, row.id), batches(reader, row.id, wanted))
        path.file.flush()
    except OSError as error:
        raise BulkmailError(f"{path}: the list cannot be written ({error.strerror})") from None
    finally:
        reader.close()


def find_campaign(reader: Any, name: str) -> Any:
    """Return the campaign ``name`` of a spool. Raises BulkmailError, with the nearest name."""
    row = reader.campaign(name)
    if row is None:
        names = [one.name for one in reader.campaigns()]
        near = get_close_matches(name, names, 1)
        remedy = f"did you mean {near[0]}?" if near else f"it has {', '.join(names[-10:])}" if names else "it is empty"
        raise BulkmailError(f"the spool has no campaign {name!r}; {remedy}")
    return row


def check_ended(row: Any) -> None:
    """Raise BulkmailError where some rows of the campaign are still to be sent."""
    from bulkmail.spool import ENDED  # noqa: PLC0415

    if row.state not in ENDED:
        raise BulkmailError(
            f"the campaign {row.name!r} is not at its end ({row.state}), so some of its rows may still get it; let it "
            "end, or cancel it"
        )


def files_of(reader: Any, campaign_id: int) -> list[tuple[str, list[str]]]:
    """Return the input files of a campaign with their columns."""
    return [(name, columns) for _, name, columns in reader.input_files(campaign_id)]


def batches(reader: Any, campaign_id: int, wanted: Wanted) -> Iterator[list[RecipientRow]]:
    """Yield the campaign's rows that are wanted, in input order, a few thousand at a time."""
    after = 0
    while rows := reader.recipients(campaign_id, after, _ROWS):
        after = rows[-1].n
        yield [row for row in rows if wanted(*_at_its_end(row))]


def _at_its_end(row: RecipientRow) -> tuple[str, str]:
    """Return the status and category of a row for a list of its campaign: without what came back later.

    A message that came back had arrived at first. A list that changed with it could not be read on.
    """
    return (row.status, row.category) if row.late_at is None else (Status.DELIVERED, "")
