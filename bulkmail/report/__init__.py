"""What became of every recipient, for people, spreadsheets and programs.

Room: the report folder: recipients.csv, take-off.csv, try-again.csv, attempts.csv, summary.json, index.html.
Takes: rows from an iterator (`mail.RecipientRow`, `mail.AttemptRow`), a campaign's Facts, the folder to write to.
Gives: files that are whole or not there, readable by people; what was counted on the way.
Never: reads the spool, a clock or the network; lets a value run in a spreadsheet or a browser.

Why no row of this report can mislead. The statuses of recipients.csv sum to the rows of the input, because there is
one row for each. ``delivered`` is a 2xx to that very message's final dot and nothing else; a confirmation that never
came is ``unknown``. The page counts the same pass over the rows that wrote the file beside it, so the two agree to
the row. attempts.csv is derived, and begun again whenever it is not what it should be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkmail.lazily import later
from bulkmail.report.accounting import ACCOUNTING_COLUMNS, accounting
from bulkmail.report.page import page, write_page
from bulkmail.report.summary import summary, write_summary

if TYPE_CHECKING:
    from bulkmail.report.attempts import ATTEMPT_COLUMNS, NOTHING, AttemptsFile, Position
    from bulkmail.report.cells import guarded, one_line
    from bulkmail.report.clicks import clicks_in_words, clicks_of
    from bulkmail.report.earlier import (
        attempts_beyond,
        has_attempts,
        has_report,
        reported_best,
        reported_campaign,
        reported_variants,
    )
    from bulkmail.report.exports import csv_export, json_export
    from bulkmail.report.facts import Facts
    from bulkmail.report.files import Place, ReportFile
    from bulkmail.report.lines import MARK as CSV_MARK
    from bulkmail.report.lines import lines as csv_lines
    from bulkmail.report.lists import write_addresses, write_list
    from bulkmail.report.parquet import parquet_export
    from bulkmail.report.recipients import write_recipients
    from bulkmail.report.rows import file_prefixes
    from bulkmail.report.suppressions import SUPPRESSION_COLUMNS, write_suppressions
    from bulkmail.report.tally import Stats, Wordings, wording_key
    from bulkmail.report.timeline import STEPS, Timeline
    from bulkmail.report.variants import variant_of
    from bulkmail.report.view import length, share
    from bulkmail.report.words import (
        CATEGORY_WORDS,
        STATUS_WORDS,
        category_words,
        late_words,
        provider_name,
        state_words,
        status_words,
    )
    from bulkmail.report.writer import ATTEMPTS, ReportFolder, refresh_wait
else:
    __getattr__ = later(
        __name__,
        {
            "view": "length share",
            "attempts": "ATTEMPT_COLUMNS NOTHING AttemptsFile Position",
            "cells": "guarded one_line",
            "clicks": "clicks_in_words clicks_of",
            "earlier": "attempts_beyond has_attempts has_report reported_best reported_campaign reported_variants",
            "exports": "csv_export json_export",
            "facts": "Facts",
            "files": "Place ReportFile",
            "lines": "MARK=CSV_MARK lines=csv_lines",
            "lists": "write_addresses write_list",
            "parquet": "parquet_export",
            "recipients": "write_recipients",
            "rows": "file_prefixes",
            "suppressions": "SUPPRESSION_COLUMNS write_suppressions",
            "tally": "Stats Wordings wording_key",
            "timeline": "STEPS Timeline",
            "variants": "variant_of",
            "words": "CATEGORY_WORDS STATUS_WORDS category_words late_words provider_name state_words status_words",
            "writer": "ATTEMPTS ReportFolder refresh_wait",
        },
    )

__all__ = [
    "ACCOUNTING_COLUMNS",
    "ATTEMPTS",
    "ATTEMPT_COLUMNS",
    "CATEGORY_WORDS",
    "CSV_MARK",
    "NOTHING",
    "STATUS_WORDS",
    "STEPS",
    "SUPPRESSION_COLUMNS",
    "AttemptsFile",
    "Facts",
    "Place",
    "Position",
    "ReportFile",
    "ReportFolder",
    "Stats",
    "Timeline",
    "Wordings",
    "accounting",
    "attempts_beyond",
    "category_words",
    "clicks_in_words",
    "clicks_of",
    "csv_export",
    "csv_lines",
    "file_prefixes",
    "guarded",
    "has_attempts",
    "has_report",
    "json_export",
    "late_words",
    "length",
    "one_line",
    "page",
    "parquet_export",
    "provider_name",
    "refresh_wait",
    "reported_best",
    "reported_campaign",
    "reported_variants",
    "share",
    "state_words",
    "status_words",
    "summary",
    "variant_of",
    "wording_key",
    "write_addresses",
    "write_list",
    "write_page",
    "write_recipients",
    "write_summary",
    "write_suppressions",
]
