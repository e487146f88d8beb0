from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import bulkmail.spool
from bulkmail.spool.queries import split_queries
from bulkmail.spool.sqlite.database import MIGRATIONS, SQL

ROOM = Path(bulkmail.spool.__file__).parent
MODULES = [*ROOM.glob("*.py"), *ROOM.glob("sqlite/*.py")]  # for the others: postgres/test_database.py


def test_named_blocks_are_split_and_comments_dropped():
    text = "-- a file\n-- name: one\n-- why\nSELECT 1\n\n-- name: two\nSELECT\n  2\n"
    assert split_queries(text) == {"one": "SELECT 1", "two": "SELECT\n  2"}


def test_a_query_may_end_in_another_one():
    text = "-- name: one\nSELECT 1\nFROM a\n-- name: older\n-- why\nWITH a AS (b)\n-- then: one\n"
    assert split_queries(text)["older"] == "WITH a AS (b)\nSELECT 1\nFROM a"
    with pytest.raises(KeyError, match="two"):
        split_queries("-- name: one\nWITH a\n-- then: two\n-- name: two\nSELECT 1\n")


def test_a_name_used_twice_is_an_error():
    with pytest.raises(ValueError, match="two queries are called one"):
        split_queries("-- name: one\nSELECT 1\n-- name: one\nSELECT 2\n")


def test_every_query_is_used_and_every_used_name_exists():
    strings = set()
    for path in MODULES:
        strings |= {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    assert not SQL.keys() - strings, "queries that nobody runs"
    used = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("execute", "many")
            ):
                used |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    assert used
    assert not used - SQL.keys(), "queries that do not exist"


def test_migrations_are_numbered_without_a_gap():
    assert [number for number, _ in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))
    for number, script in MIGRATIONS:
        assert f"PRAGMA user_version = {number};" in script


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, text in SQL.items()
        if text.startswith(("SELECT", "UPDATE", "DELETE")) and not name.startswith("copy_")  # those want all rows
    ],
)
def test_no_query_walks_through_rows_it_does_not_want(sqlite, name):
    # of a few rows, whatever the list
    few = {"campaign", "claim", "c", "chunk", "CONSTANT", "json_each", "site_facts", "hold", "cancel_request", "meta"}
    few |= {
        "whole_report",
        "receiver_policy",
        "w",
        "late_waiting",
        "page",
        "sqlite_sequence",
    }  # one a campaign; failures that wait; a limited part
    # a start may look through everything that waits
    at_the_start_only = {"left_claimed", "due_claimed", "bring_rows_forward", "bring_queues_forward"}
    # the first one, or a page of all
    wanted = {"has_suppressions", "suppressions", "count_suppressions"}
    text = SQL[name]
    names = set(re.findall(r":(\w+)", text))
    count = len(set(re.findall(r"\?\d", text))) or text.count("?")
    values = dict.fromkeys(names, 1) if names else ["[]"] * count
    plan = sqlite.database._connection.execute(f"EXPLAIN QUERY PLAN {text}", values).fetchall()
    walked = {step[3].split()[1] for step in plan if step[3].startswith("SCAN")}
    assert name in at_the_start_only | wanted or walked <= few


def plan_of(sqlite, name, values):
    plan = sqlite.database._connection.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", values).fetchall()
    return [step[3] for step in plan]


def test_rows_held_back_are_found_through_an_index_of_their_own(sqlite):
    assert "INDEX recipient_held" in plan_of(sqlite, "all_held_back", (1, 2, 3))[0]


@pytest.mark.parametrize(("name", "values"), [("new_rows", (1, 2, 3, 4)), ("open_claimed", ())])
def test_a_queues_rows_are_found_chunk_by_chunk_and_never_sorted(sqlite, name, values):
    plan = plan_of(sqlite, name, values)
    assert any("INDEX recipient_chunk (<expr>=? AND queue_id=? AND rowid>?" in step for step in plan)
    assert not any("TEMP B-TREE" in step for step in plan)
