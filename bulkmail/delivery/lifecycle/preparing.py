"""The check of a campaign's files before anything is sent: what is wrong with them, and what enters the messages.

The process that sends has no need of it once it is made: there it runs in a child.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bulkmail.campaign import (
    Campaign,
    OperatorSettings,
    content_notices,
    load_campaign,
    snapshot,
    survey,
    try_rows,
)
from bulkmail.delivery.lifecycle.notice import forbidden
from bulkmail.delivery.lifecycle.opening import Prepared
from bulkmail.listing import make_list
from bulkmail.mail import BulkmailError, Refused
from bulkmail.yamlfile import curly_quotes


class PreparingSettings(OperatorSettings, Protocol):
    """What `prepare` takes of the settings. ``databases``: those that may be asked for lists, by name."""

    @property
    def databases(self) -> Mapping[str, str]: ...  # noqa: D102


def prepare(
    path: str,
    settings: PreparingSettings,
    *,
    rehearsal: bool = False,
    whole: bool = False,
    follow: bool = True,
    sample: bool = True,
) -> Prepared:
    """Check everything that can be checked without sending, and read what enters the messages. Raises Refused.

    ``whole``: read the lists to their ends, to count the rows that say that they may not be mailed. ``follow``: whether
    the campaign's folder may be a link. ``sample``: compose the first rows. Reads files, and the spool where a list is
    made of an earlier campaign; nothing is left open, and no process (but for the sample) or thread is begun.
    """
    campaign = load_campaign(path, follow=follow, spool=settings.spool, databases=settings.databases)
    if problems := forbidden(campaign, settings.notify.commands, settings.notify.urls):
        raise Refused(problems)
    make_lists(campaign)
    lists = survey(campaign, settings, whole=whole)
    content = snapshot(campaign, settings, lists.columns, b"\0" * 32, rehearsal=rehearsal)
    notices = [*curly_quotes(campaign.file), *content_notices(campaign, settings, content), *lists.notices]
    if sample:
        notices += try_rows(lists.rows, content, campaign.recipient_paths)
    return Prepared(campaign, content, lists.columns, sum(lists.sizes), tuple(notices))


def make_lists(campaign: Campaign) -> None:
    """Make the lists that the campaign takes of earlier ones. Raises Refused, each with its place in campaign.yaml."""
    problems = []
    for key, path in campaign.earlier:
        try:
            if path.campaign == campaign.name:
                raise BulkmailError(f"{path}: this is the campaign itself; name an earlier one")  # noqa: TRY301 - one way
            make_list(path)
        except BulkmailError as error:
            problems.append(campaign.file.problem((key,), f"{key}: {error}"))
    if problems:
        raise Refused(problems)
