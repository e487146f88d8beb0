"""What a reader tells, whichever database the spool is in."""

from __future__ import annotations

from bulkmail.spool import SiteFact, StoredPlan, recipient_id


def test_every_input_row_is_there_in_input_order(spool):
    _, reader, identity = spool
    rows = [row._asdict() for row in reader.recipients(identity, 0, 100)]
    assert [(row["n"], row["status"], row["attempts"]) for row in rows] == [
        (1, "delivered", 1),
        (2, "invalid", 0),
        (3, "deferred", 1),
        (4, "pending", 0),
        (5, "pending", 0),
    ]
    assert rows[0] == {
        "n": 1,
        "file_no": 0,
        "row_in_file": 1,
        "email": "user1@example.com",
        "status": "delivered",
        "category": "",
        "smtp_code": 250,
        "enhanced": "2.0.0",
        "reply": "2.0.0 Ok",
        "stage": "dot",
        "mx_host": "mx.example.com",
        "mx_ip": "192.0.2.1",
        "source_ip": "",
        "tls": "",
        "attempts": 1,
        "first_attempt_at": 2000.0,
        "completed_at": 2000.0,
        "bytes": 1000,
        "note": "",
        "fields": '["user1@example.com", "N1"]',
        "late_at": None,
        "unsubscribed_at": None,
        "complained_at": None,
        "tls_policy": "",
    }
    assert (rows[1]["category"], rows[1]["note"], rows[1]["completed_at"]) == ("invalid-address", "no @", 1000.0)
    assert (rows[3]["smtp_code"], rows[3]["reply"], rows[3]["first_attempt_at"]) == (None, "", None)


def test_rows_come_in_ranges(spool):
    _, reader, identity = spool
    assert [row[0] for row in reader.recipients(identity, 0, 2)] == [1, 2]
    assert [row[0] for row in reader.recipients(identity, 2, 2)] == [3, 4]
    assert reader.recipients(identity, 5, 2) == []


def test_the_last_attempt_says_how_much_tls_it_asked_for(spool, kit):
    store, reader, identity = spool
    queue = store.due_queues(100.0, 1)[0][0]
    outcomes = [kit.outcome(row) for row in store.claim([(queue, 1)], 100.0)[queue]]
    store.settle([one._replace(attempt=one.attempt._replace(tls_policy="sts-enforce")) for one in outcomes])
    assert [row.tls_policy for row in reader.recipients(identity, 0, 9)] == ["", "", "sts-enforce", "", ""]


def test_attempts_continue_where_the_last_reading_ended(spool, kit):
    store, reader, identity = spool
    first = [row._asdict() for row in reader.attempts(identity, 0, 100)]
    assert [(row["n"], row["email"], row["attempt"], row["result"]) for row in first] == [
        (1, "user1@example.com", 1, "delivered"),
        (3, "user3@example.com", 1, "deferred"),
    ]
    assert [row["next_attempt_at"] for row in first] == [None, 99.0]
    assert [row["id"] for row in first] == [recipient_id(identity, 1), recipient_id(identity, 2)]
    assert reader.attempts(identity, first[-1]["id"], 100) == []
    queue = store.due_queues(100.0, 1)[0][0]
    store.settle([kit.outcome(row) for row in store.claim([(queue, 1)], 100.0)[queue]])
    assert [row[6] for row in reader.attempts(identity, first[-1]["id"], 100)] == [2]
    assert reader.attempts(identity + 1, 0, 100) == []


def test_campaigns_files_totals_and_domains(spool):
    _, reader, identity = spool
    assert [row.name for row in reader.campaigns()] == ["spring", "other"]
    assert reader.campaign("spring").input_rows == 5
    assert reader.campaign("none") is None
    assert reader.input_files(identity) == [(0, "recipients.csv", ["email", "first_name"])]
    assert sum(reader.totals(identity).values()) == 5
    assert reader.domains(identity, 1) == [("example.com", 1, 0, 1)]


def test_what_is_remembered_of_sites_and_not_what_has_expired(spool):
    store, reader, _ = spool
    facts = [SiteFact("a~1", "tls", 0.0, 10.0, 99.0), SiteFact("b~1", "messages", 20.0, 20.0, 100.0)]
    store.remember(facts)
    assert reader.site_facts(50.0) == [facts[1], facts[0]]
    assert reader.site_facts(99.0) == [facts[1]]


def test_what_is_known_about_one_key_whatever_stands_behind_it(spool):
    store, reader, _ = spool
    own = [SiteFact(site, "pace", 1.0, 10.0, 99.0) for site in ("mx.a", "mx.a from x", "mx.a~sts", "mx.a~sts from x")]
    others = [SiteFact(site, "pace", 1.0, 10.0, 99.0) for site in ("mx.a.example", "mx.a!", "mx", "mx.", "mx.b")]
    store.remember([*own, *others, SiteFact("mx.a", "tls", 0.0, 20.0, 50.0)])
    assert reader.facts_about("mx.a", 50.0) == own
    assert reader.facts_about("mx.a~sts", 50.0) == own[2:]
    assert reader.facts_about("none.example", 50.0) == []


def test_the_rows_of_a_list_by_domain(spool):
    _, reader, identity = spool
    domains, count = reader.rows_by_domain(identity, 10)
    assert domains == [("example.com", 3, 1), ("b.example", 1, 0)]
    assert count == 2
    assert reader.rows_by_domain(identity, 1) == ([("example.com", 3, 1)], 2)


def test_a_plan_is_kept_replaced_and_removed_with_its_campaign(spool):
    store, reader, identity = spool
    assert reader.plan(identity) is None
    store.save_plan(identity, StoredPlan(5, 1.0, 9.0, 0.5))
    store.save_plan(identity, StoredPlan(6, 1.0, None, 0.5))
    assert reader.plan(identity) == store.plan(identity) == StoredPlan(6, 1.0, None, 0.5)
    other = next(row.id for row in reader.campaigns() if row.name == "other")
    assert reader.plan(other) is None
    store.save_plan(other, StoredPlan(1, 1.0, 2.0, 1.0))
    while not store.remove_campaign(other):
        pass
    assert reader.plan(other) is None
    assert reader.plan(identity) is not None


def test_who_got_the_message(spool):
    _, reader, identity = spool
    assert reader.received(identity, 0, 10) == [(1, "user1@example.com")]
    assert reader.received(identity, 1, 10) == []
