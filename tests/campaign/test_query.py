from __future__ import annotations

import csv
import io
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from bulkmail.campaign import load_campaign, survey
from bulkmail.campaign.query import NotNow, QueryList, ToBeAskedError, answer, named_or_asked, reached, shown
from bulkmail.files import Folder
from bulkmail.mail import Refused
from bulkmail.yamlfile import ErrorAt

CAMPAIGN = """\
name: spring-sale
from: Example Shop <news@example.com>
subject: Spring
template: {text: body.txt.j2}
recipients: {postgresql: crm, query: people.sql}
"""
PEOPLE = """
CREATE TABLE {schema}.people (mail text, city text, visits int, spent numeric(9,2), last date,
    seen timestamptz, plus bool);
INSERT INTO {schema}.people VALUES
    ('zoë@acorn.example', 'Köln, "old"', 1234567, 10.50, '2026-01-05', '2026-01-05 09:30+00', true),
    ('ben@acorn.example', E'two\\nlines', NULL, NULL, NULL, NULL, false);
"""


def read_as(name: str) -> str:
    return name


def place(folder: Path, **given: object) -> SimpleNamespace:
    return SimpleNamespace(**{"folder": Folder.open(str(folder)), "checked": None, "databases": {}, **given})


@pytest.fixture
def database(pg_server):
    address = pg_server.fresh()
    schema = address.rpartition("%3D")[2]
    pg_server.run(PEOPLE.format(schema=schema))
    return address


@pytest.fixture
def campaign(tmp_path):
    """``campaign(query)``: a folder with it."""
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    (tmp_path / "body.txt.j2").write_text("Hello {{ city }}\n")

    def made(query: str) -> Path:
        (tmp_path / "people.sql").write_text(query, encoding="utf-8")
        return tmp_path

    return made


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (12, "12"),
        (12.0, "12"),
        (0.1, "0.1"),
        (Decimal("10.50"), "10.50"),
        (date(2026, 1, 5), "2026-01-05"),
        (datetime(2026, 1, 5, 9, 30, tzinfo=UTC), "2026-01-05 09:30:00+00:00"),
        (b"\x01\xff", "01ff"),
        (["é", 1], '["é", 1]'),
    ],
)
def test_a_value_is_written_as_people_see_it(value, text):
    assert shown(value) == text


def test_another_mapping_is_not_ours(tmp_path):
    assert named_or_asked({"rest_of": "spring"}, read_as, place(tmp_path)) is None
    assert named_or_asked({"file": "a.csv"}, read_as, place(tmp_path)) == "a.csv"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"postgresql": "crm"}, "`query` is missing"),
        ({"query": "a.sql"}, "`postgresql` is missing"),
        ({"postgresql": "crm", "query": "a.sql", "sheet": "x"}, "`sheet` is not a known key"),
        ({"postgresql": "crm", "query": 1}, "must be text"),
        ({"postgresql": "crm", "query": "a.sql"}, "have no database 'crm' (`databases`); there are: shop"),
        ({"postgresql": "shop", "query": "a.sql"}, "a.sql does not exist"),
        ({"postgresql": "shop", "query": "latin.sql"}, "latin.sql is not UTF-8"),
        ({"postgresql": "shop", "query": "b.sql"}, "the database 'shop' cannot be reached: "),
    ],
)
def test_what_is_wrong_is_told(given, words, tmp_path):
    pytest.importorskip("psycopg")
    (tmp_path / "latin.sql").write_bytes(b"SELECT '\xfc'")
    (tmp_path / "b.sql").write_text("SELECT 1")
    known = {"shop": f"postgresql://reader@/shop?host={tmp_path}"}
    with pytest.raises((ValueError, ErrorAt)) as refused:
        named_or_asked(given, read_as, place(tmp_path, databases=known))
    assert words in str(refused.value)
    assert not list(tmp_path.glob("*.csv"))


def test_a_campaign_that_another_process_has_checked_asks_nothing(tmp_path):
    given = {"postgresql": "crm", "query": "sql/a.sql", "email": "mail"}
    found = named_or_asked(given, read_as, place(tmp_path, checked={}))
    assert (found, found.sheet, found.email) == ("a.sql.csv", "", "mail")


def test_nothing_is_asked_where_nothing_may_be(campaign):
    with pytest.raises(Refused, match=r"people.sql.csv has not been made of people.sql yet; `bulkmail check` makes it"):
        load_campaign(str(campaign("SELECT 1")))


def test_the_answer_is_a_list_of_the_folder_and_is_not_asked_for_again(campaign, database, pg_server):
    folder = campaign("SELECT mail AS email, city, visits, spent, last, seen, plus FROM people ORDER BY mail DESC;\n")
    found = load_campaign(str(folder), databases={"crm": database})
    lists = survey(found, SimpleNamespace(suppress=()))
    assert [row[3] for row in lists.rows] == ["zoë@acorn.example", "ben@acorn.example"]
    assert "delete this file before the start" in lists.notices[0].message
    with (folder / "people.sql.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file, strict=True))
    assert rows[0] == ["email", "city", "visits", "spent", "last", "seen", "plus"]
    assert rows[1][:5] == ["zoë@acorn.example", 'Köln, "old"', "1234567", "10.50", "2026-01-05"]
    assert datetime.fromisoformat(rows[1][5]) == datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    assert rows[2] == ["ben@acorn.example", "two\nlines", "", "", "", "", "false"]
    pg_server.run(f"DELETE FROM {database.rpartition('%3D')[2]}.people")
    again = load_campaign(str(folder))
    assert again.lists == found.lists
    assert isinstance(again.recipients[0], QueryList)
    assert sorted(path.name for path in folder.iterdir()) == [
        "body.txt.j2", "campaign.yaml", "people.sql", "people.sql.csv",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT mail\nFROM poeple", 'q.sql:2: the database refuses the query: relation "poeple" does not exist'),
        ("SELECT mial\nFROM people", 'q.sql:1: the database refuses the query: column "mial" does not exist'),
        ("SELECT 1; SELECT 2", "cannot insert multiple commands"),
        ("DELETE FROM people", "q.sql: the statement gives no rows; write a SELECT"),
        ("SET default_transaction_read_only = off", "the statement gives no rows"),
        ("DELETE FROM people RETURNING mail", "q.sql: the database refuses the query: "),
        ("SELECT 1 / (visits - 1234567) FROM people", "q.sql: the database refuses the query: division by zero"),
        ("SELECT nextval('seq')", "cannot execute nextval() in a read-only transaction"),
    ],
)
def test_a_query_that_fails_is_told_and_one_that_writes_fails(query, words, database, pg_server):
    schema = database.rpartition("%3D")[2]
    pg_server.run(f"CREATE SEQUENCE {schema}.seq")
    with pytest.raises(ValueError, match=r".") as refused:
        list(answer(database, query, "q.sql", "crm"))
    assert words in str(refused.value)
    assert pg_server.run(f"SELECT count(*) FROM {schema}.people") == [(2,)]


def test_a_long_answer_comes_in_pieces(database):
    pieces = list(answer(database, "SELECT n, '100%' AS share FROM generate_series(1, 10000) AS n", "q.sql", "crm"))
    assert max(map(len, pieces)) < 40_000
    rows = list(csv.reader(io.StringIO(b"".join(pieces).decode("utf-8-sig"), newline="")))
    assert rows == [["n", "share"], *([str(n), "100%"] for n in range(1, 10001))]


def test_a_database_that_is_not_to_be_asked_now_is_not(tmp_path):
    given = {"postgresql": "crm", "query": "a.sql"}
    with pytest.raises(ToBeAskedError):
        named_or_asked(given, read_as, place(tmp_path, databases=NotNow({"crm": "postgresql://x"})))
    with pytest.raises(ErrorAt, match="there are: shop"):
        named_or_asked(given, read_as, place(tmp_path, databases=NotNow({"shop": "postgresql://x"})))
    (tmp_path / "a.sql.csv").write_text("email\n")
    assert named_or_asked(given, read_as, place(tmp_path, databases=NotNow({"crm": ""}))) == "a.sql.csv"


def test_whether_a_database_can_be_reached(pg_server, tmp_path):
    assert re.match(r"\d+\.\d+", reached(pg_server.fresh(), "crm"))
    with pytest.raises(ValueError, match="the database 'crm' cannot be reached: "):
        reached(f"postgresql://reader@/crm?host={tmp_path}", "crm")
