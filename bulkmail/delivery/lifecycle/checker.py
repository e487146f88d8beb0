"""The worker that checks a campaign.

It starts for each campaign, so it imports what a check needs: neither the event loop nor the model of the settings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bulkmail.campaign import NotNow, ToBeAskedError, content_hash, load_campaign
from bulkmail.delivery.lifecycle.copies import with_copies
from bulkmail.delivery.lifecycle.of_operator import OfOperator
from bulkmail.delivery.lifecycle.preparing import prepare
from bulkmail.mail import OwnFault, Problem, Refused, answer_of


class Checker:
    """The worker. Its jobs are ``("check", path, settings)`` and ``("ask", path, settings)``.

    The answer is ``("checked", data)``, ``("to-be-asked",)``, ``("asked",)``, ``("refused", problems)`` or
    ``("own-fault", text)``. ``settings`` are `OfOperator.plain`, a problem is (file, line, column, message), and
    ``data`` is `Prepared.plain`. A check asks no database: where a list must be asked for first, it says so.
    """

    def handle(self, job: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the answer to one job. Any other exception than Refused and OwnFault is a bug, and is logged."""
        verb, path, settings = job
        if verb not in ("check", "ask"):
            raise LookupError(f"no such job: {verb!r}")
        try:
            own = OfOperator.of(settings)
            if verb == "ask":
                load_campaign(path, follow=False, spool=own.spool, databases=own.databases)
                return ("asked",)
            own = replace(own, databases=NotNow(own.databases))
            prepared = with_copies(prepare(path, own, follow=False), own)
            known = content_hash(prepared.campaign, prepared.content)
        except ToBeAskedError:
            return ("to-be-asked",)
        except (Refused, OwnFault) as error:
            return answer_of(error)
        except MemoryError:
            words = "its check needs more memory than a campaign's may take (1 GB)"
            return answer_of(Refused([Problem(path, 0, 0, words)]))
        return "checked", replace(prepared, content_hash=known).plain
