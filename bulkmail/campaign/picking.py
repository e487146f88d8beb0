"""Which rows of a list belong to a campaign: those of which a condition is true, a share of them, some in an order.

A row that is not picked is no row of the campaign: it gets no number, and is not in the report. What is decided of a
row depends on the row alone, so that reading it again decides the same; the share goes by a hash of the address, so it
is the same people in every campaign, and those of 10 % are among those of 20 %.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bulkmail.campaign.encoding import refuse
from bulkmail.campaign.keys import digest_of, read_address
from bulkmail.campaign.rows import Row, Rows
from bulkmail.mail import AddressError, Variants

_ALL = 1 << 64


class Rules(NamedTuple):
    """``where``: an expression, "" for none. ``sample``: the share, 0 to 1. ``limit``: rows that are mailed at most.

    ``order_by``: a column, behind ``-`` for the highest first, "" for the lists' own order. ``hold_out``: the variants
    as `mail.Variants` takes them, where some of them get no message; such rows belong to the campaign.
    """

    where: str = ""
    sample: float = 1.0
    limit: int = 0
    order_by: str = ""
    hold_out: Sequence[Sequence[Any]] = ()

    @property
    def some(self) -> bool:
        """Whether rows of the lists may be left aside, or change places."""
        return self._replace(hold_out=()) != Rules()

    def held_out(self) -> Callable[[str], str] | None:
        """Return what says in which group an address is that gets no message, "" in none; None where there is none."""
        if not self.hold_out:
            return None
        variants = Variants(self.hold_out)
        names = {name: name for name in variants.held_out}
        return lambda key: names.get(variants.of_key(key), "")


class Picking:
    """What is picked of each file, in the order of the files."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._below = int(rules.sample * _ALL)
        self._condition: Any = None
        if rules.where:
            from bulkmail.content import Condition  # noqa: PLC0415 - most campaigns have none, and need no Jinja2

            self._condition = Condition(rules.where)
        self._tests: list[Callable[[Sequence[str]], bool] | None] = []

    def look(self, path: str, rows: Rows) -> None:
        """Look at the next file's header. Raises Refused where a column is missing that the condition needs."""
        if self._condition is None:
            self._tests.append(None)
            return
        if lacking := self._condition.lacking(rows.columns):
            raise refuse(path, f"`where` cannot be applied to this list: {lacking}", rows.header_line)
        self._tests.append(self._condition.for_columns(rows.columns))

    def pick(self, file: int, taken: Sequence[Row], rows: Rows, first: int) -> tuple[list[Row], list[int]]:
        """Return the rows that are picked, and the number of each in its file; ``first``: that of the first taken.

        A row that cannot be read is picked always, and one to which the condition cannot be applied becomes such a one.
        """
        test, at = self._tests[file], rows.header.roles["address"]
        picked, numbers = [], []
        for number, row in enumerate(taken, first):
            line, cells, encoded, wrong = row
            if not wrong:
                if self._below < _ALL and not self._sampled(cells[at]):
                    continue
                if test is not None:
                    try:
                        if not test(cells if rows.own_report is None else json.loads(encoded)):
                            continue
                    except ValueError as error:
                        row = line, cells, encoded, f"line {line}: `where` cannot be applied: {error}"  # noqa: PLW2901
            picked.append(row)
            numbers.append(number)
        return picked, numbers

    def _sampled(self, cell: str) -> bool:
        try:
            key, _ = read_address(cell)
        except AddressError:
            key = cell
        return int.from_bytes(digest_of(key)[:8]) < self._below
