"""From a recipient to the bytes of a message: templates, MIME, DKIM.

Room: content; it runs inside worker processes and in the check before a start, and needs nothing but its arguments.
Takes: a campaign's ``content`` (plain data: templates, columns, sender, keys) and rows of its recipients files.
Gives: complete messages (CRLF, 7 bit, signed, not dot-stuffed), or why one row has none; all problems of a campaign.
Never: reads a file, a clock or (but for a new DKIM key) a random number; runs data as a template; lets CR or LF from
data into a field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkmail.lazily import later

if TYPE_CHECKING:
    from bulkmail.content.check import check_content
    from bulkmail.content.compose import Composer
    from bulkmail.content.condition import Condition, condition_problem
    from bulkmail.content.dkim import DkimKeyError
    from bulkmail.content.dkim_record import (
        Published,
        compare_published,
        key_in_words,
        new_pem,
        record,
        record_name,
        wrong_with,
        zone_lines,
    )
    from bulkmail.content.headers import parse_mailbox
    from bulkmail.content.inlining import can_inline
    from bulkmail.content.letter import pictures_in
    from bulkmail.content.linking import counted_links, links_in_words
    from bulkmail.content.locales import Languages
    from bulkmail.content.notices import content_notices
    from bulkmail.content.printed import printed_columns
    from bulkmail.content.shared import same_for_all
    from bulkmail.content.subject import subject_for
    from bulkmail.content.variants import in_each_variant
    from bulkmail.content.ways_back import asks_for_complaints, return_path, signing_keys
else:
    __getattr__ = later(
        __name__,
        {
            "check": "check_content",
            "compose": "Composer",
            "condition": "Condition condition_problem",
            "dkim": "DkimKeyError",
            "dkim_record": "Published compare_published key_in_words new_pem record record_name wrong_with zone_lines",
            "headers": "parse_mailbox",
            "inlining": "can_inline",
            "letter": "pictures_in",
            "linking": "counted_links links_in_words",
            "locales": "Languages",
            "notices": "content_notices",
            "printed": "printed_columns",
            "shared": "same_for_all",
            "subject": "subject_for",
            "variants": "in_each_variant",
            "ways_back": "asks_for_complaints return_path signing_keys",
        },
    )

__all__ = [
    "Composer",
    "Condition",
    "DkimKeyError",
    "Languages",
    "Published",
    "asks_for_complaints",
    "can_inline",
    "check_content",
    "compare_published",
    "condition_problem",
    "content_notices",
    "counted_links",
    "in_each_variant",
    "key_in_words",
    "links_in_words",
    "new_pem",
    "parse_mailbox",
    "pictures_in",
    "printed_columns",
    "record",
    "record_name",
    "return_path",
    "same_for_all",
    "signing_keys",
    "subject_for",
    "wrong_with",
    "zone_lines",
]
