"""The worker that turns lists into recipients: rows read, addresses checked, suppressed and repeated ones found.

It runs in a process of its own (`bulkmail.workers` starts it by its name) and answers one job at a time:

``("open", options)``
    options: ``files`` (absolute paths, or `ListPath.plain` of lists in a campaign's folder), ``encoding``, ``suppress``
    (the same), ``skip`` (rows stored already), ``resume`` (the state stored with them, or None), ``scratch`` (a folder,
    or None), ``elsewhere`` (what a refusal of a changed list adds about a campaign of another name), ``consent`` (which
    rows may not be mailed: ``auto``, ``none``, or a column with the values that say yes), ``pick`` (`picking.Rules` by
    name).
    -> ``("opened", columns, notices, sizes)``: the column names of each file, the address column as ``email``; what
    the operator should know, as (file, line, column, text); bytes of each file.
``("next", limit)``
    -> ``("rows", rows, state, done)``; a row is (number, file number, row in its file, address as written, domain,
    JSON array of its cells, verdict, note). Verdicts: ``ok``, ``held`` (perhaps a repeated address: settled at the
    end), ``invalid``, ``bad-row``, ``suppressed``, ``no-consent``, ``hold-out``. No rows and not done: earlier rows are
    being read again, ask on.
    Once done, ``state["told"]`` has what all rows say of who may not be mailed, as notices.
``("settle", limit)``, once done
    -> ``("settled", [(number, is duplicate, note), ...], done, state)``; few or none and not done: ask on. A row may
    be given again after a restart.
``("changed", files, state)`` -> ``("changed", names)``
    the lists that are not as they were read to their end, for a campaign that is finished. Nothing need be open.
``("close",)`` -> ``("closed",)``

Every job but the last can be answered ``("refused", problems)`` (as notices: the input cannot be used, or changed) or
``("own-fault", text)`` (no room for the scratch file); then nothing but ``open`` makes sense.

``state`` is stored together with the rows; with it a restart reads the lists again from the beginning, which takes
seconds and rebuilds what it must remember, gives only rows beyond ``skip``, and refuses where the bytes read before
are not the same any more. The last file may have grown, and files may have been added behind it.
"""

from __future__ import annotations

from typing import Any

from bulkmail.campaign.files import ListPath
from bulkmail.campaign.intake import Answer, Intake
from bulkmail.campaign.places import Stored, changed_since
from bulkmail.mail import OwnFault, Refused, answer_of


class Ingest:
    """The worker: see the top of the module for its jobs and answers."""

    ROOM = 4 << 30  # bytes: a suppress list of 50 million entries takes 1.5 GB while it grows

    def __init__(self) -> None:
        self._intake: Intake | None = None

    def handle(self, job: tuple[Any, ...]) -> Answer:
        """Return the answer to one job."""
        try:
            return self._answer(job)
        except (Refused, OwnFault) as error:
            self._close()
            return answer_of(error)

    def _answer(self, job: tuple[Any, ...]) -> Answer:
        match job:
            case ("open", dict(options)):
                self._close()
                self._intake = Intake(
                    [ListPath.of(given) for given in options["files"]],
                    encoding=options.get("encoding"),
                    suppress=[ListPath.of(given) for given in options.get("suppress") or ()],
                    stored=Stored(options.get("skip") or 0, options.get("resume")),
                    scratch=options.get("scratch"),
                    elsewhere=options.get("elsewhere") or "",
                    consent=options.get("consent") or "auto",
                    pick=options.get("pick"),
                    look_up=options.get("look_up"),
                )
                return self._intake.opened
            case ("next", int(limit)) if self._intake is not None:
                return self._intake.next(limit)
            case ("settle", int(limit)) if self._intake is not None:
                return self._intake.settle(limit)
            case ("changed", files, reading):
                return "changed", changed_since([ListPath.of(given) for given in files], reading)
            case ("close",):
                self._close()
                return ("closed",)
        raise LookupError(f"no such job, or nothing is open: {job[0]!r}")

    def _close(self) -> None:
        if self._intake is not None:
            self._intake.close()
            self._intake = None
