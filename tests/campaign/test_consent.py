from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign.consent import Consent, kind_of
from bulkmail.mail import Refused

FORMATS = [  # (format, column, cells of five rows, how many of them say no)
    ("Mailchimp", "UNSUB_TIME", ["2026-02-01 08:00:00", "", "2026-02-02 08:00:00", "", ""], 2),
    ("Mailchimp", "CLEAN_TIME", ["2026-02-01 08:00:00"] * 5, 5),
    ("Shopify", "Accepts Email Marketing", ["yes", "no", "no", "yes", ""], 2),
    ("Shopify, old", "Accepts Marketing", ["yes", "no", "no", "yes", "yes"], 2),
    ("HubSpot", "Unsubscribed from all email", ["", "true", "", "", "TRUE"], 2),
    ("HubSpot", "Marketing contact status", ["Marketing contact", "Non-marketing contact", "", "", ""], 1),
    ("HubSpot", "Opted out of email: Marketing Information", ["", "true", "", "", ""], 1),
    ("Salesforce", "Email Opt Out", ["0", "1", "0", "0", "0"], 1),
    ("Salesforce", "HASOPTEDOUTOFEMAIL", ["false", "true", "true", "false", ""], 2),
    ("Klaviyo", "Email Marketing Consent", ["SUBSCRIBED", "UNSUBSCRIBED", "NEVER_SUBSCRIBED", "", ""], 2),
    ("Klaviyo", "Email Suppressions", ["[]", "USER_SUPPRESSED", "", "", ""], 1),
    ("Brevo", "EMAIL_BLACKLISTED", ["No", "Yes", "No", "true", "false"], 2),
    ("Eventbrite", "Attendee Status", ["Attending", "Not Attending", "Refunded", "Checked In", "Deleted"], 3),
    ("Eventbrite", "Keep me informed of other events", ["Yes", "No", "No", "", "Yes"], 2),
    ("Substack", "email_disabled", ["false", "true", "false", "", "true"], 2),
    ("Ghost", "subscribed_to_emails", ["true", "false", "", "true", "true"], 1),
    ("listmonk", "status", ["enabled", "disabled", "blocklisted", "enabled", "enabled"], 2),
    ("Kit", "state", ["active", "cancelled", "bounced", "active", "complained"], 3),
    ("beehiiv", "Status", ["active", "inactive", "active", "active", "active"], 1),
    ("Wix", "Email subscriber status", ["Subscribed", "Unsubscribed", "Never subscribed", "", "Subscribed"], 2),
    ("PrestaShop", "Newsletter", ["1", "0", "0", "1", "1"], 2),
    ("Zoho", "Email Opt-Out", ["false", "true", "false", "false", "false"], 1),
    ("Dynamics", "Do not allow Emails", ["Allow", "Do Not Allow", "Allow", "Allow", "Allow"], 1),
    ("CiviCRM", "No Bulk Emails (User Opt Out)", ["0", "1", "", "", ""], 1),
    ("Mailjet", "IsExcludedFromCampaigns", ["false", "true", "false", "false", "false"], 1),
    ("Constant Contact", "Email permission status", ["Express", "Unsubscribed", "Implied", "", ""], 1),
    ("Raiser's Edge", "Requests no e-mail", ["No", "Yes", "", "", ""], 1),
    ("German", "E-Mails nicht zulassen", ["Zulassen", "Nicht zulassen", "", "", ""], 1),
    ("German", "Abgemeldet am", ["01.02.2026", "", "", "", ""], 1),
    ("German", "Einwilligung", ["ja", "nein", "", "ja", "ja"], 1),
    ("French", "D\u00e9sabonn\u00e9", ["oui", "non", "", "oui", "non"], 2),
    ("Italian", "Iscritto", ["s\u00ec", "no", "", "s\u00ec", "s\u00ec"], 1),
    ("Spanish", "Dado de baja", ["2026-01-01", "", "", "", ""], 1),
    ("Dutch", "Uitgeschreven", ["ja", "nee", "", "", ""], 1),
    ("CiviCRM", "On Hold", ["", "On Hold Bounce", "No", "", ""], 1),
    ("Eventbrite", "Stato del partecipante", ["Partecipa", "Rimborsato", "", "", ""], 1),
    ("German", "Teilnehmerstatus", ["Angemeldet", "Storniert", "", "", ""], 1),
    ("any", "unsubscribed_at", ["2026-01-01", "", "null", "", ""], 1),
    ("any", "Opt_Out", ["1", "0", "", "", ""], 1),
    ("any", "do-not-email", ["x", "", "", "", ""], 1),
    ("any", "DNC", ["Y", "N", "", "", ""], 1),
    ("any", "is_active", ["1", "0", "1", "1", "1"], 1),
]


def told(name: str, cells: list[str], *, whole: bool = True, path: str = "/c/list.csv") -> list[str]:
    consent = Consent(path, 1, ["email", name], [1, 7])
    consent.objections([(n, [f"u{n}@a.test", cell], "[]", "") for n, cell in enumerate(cells, 2)])
    found = consent.notices(whole=whole)
    assert all((problem.file, problem.line, problem.column) == (path, 1, 7) for problem in found if problem.line)
    return [problem.message for problem in found]


@pytest.mark.parametrize(("program", "name", "cells", "count"), FORMATS, ids=lambda value: str(value)[:30])
def test_the_rows_that_say_no_are_counted(program, name, cells, count):
    (message,) = told(name, cells)
    assert message.startswith(f"{count} of 5 rows say in column `{name}` that they may not be mailed (`"), program
    assert message.endswith("and are left out; to mail them all the same, write `consent: none`")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("Status", ["active", "canceled", "past_due", "trialing", ""]),  # Stripe: a paid plan's
        ("Status", ["active", "disabled", "trialing"]),
        ("Status", ["Shipped", "Pending", "Cancelled"]),
        ("state", ["CA", "NY", "NO"]),
        ("active", ["1", "yes", "true"]),
        ("DOUBLE_OPT-IN", ["1", "", "1"]),
        ("deleted_at", ["", ""]),
        ("OPTIN_TIME", ["2026-01-05 10:00:00", "", ""]),
        ("SMS_BLACKLISTED", ["Yes", "No", "Yes"]),
        ("Accepts SMS Marketing", ["no", "no"]),
        ("active_subscription", ["false", "true"]),
        ("UNSUB_CAMPAIGN_TITLE", ["January"]),
        ("UNSUB_REASON", ["NORMAL"]),
        ("unsubscribe_url", ["https://a.test/"]),
        ("subscribed_at", ["2026-01-01"]),
        ("Consent Timestamp", ["2026-01-01"]),
        ("Order Status", ["refunded"]),
        ("first_name", ["No"]),
        ("opt", ["no"]),
        ("city", ["unsubscribed"]),
        ("Consent to track", ["No", "Yes"]),
        ("Date subscribed", ["2026-01-05"]),
    ],
)
def test_what_is_about_something_else_is_not_told(name, cells):
    assert told(name, cells) == []


def test_a_column_in_which_nobody_says_no_is_told_too():
    (message,) = told("Unsubscribed", ["no", "", "false"])
    assert message.startswith(
        "none of 3 rows says in column `Unsubscribed` that it may not be mailed; such rows are left out"
    )


def test_a_part_of_the_list_is_not_told_as_the_whole():
    (message,) = told("unsubscribed", ["yes", "no", "Yes", "YES", "1"], whole=False)
    assert message.startswith("4 of the first 5 rows say in column `unsubscribed` that they may not be mailed (`yes`, ")
    assert "and are left out; all are counted when the list is read; to mail" in message


def test_bad_rows_are_not_counted_and_the_examples_are_few():
    consent = Consent("l.csv", 3, ["unsubscribed", "email"], [1, 14])
    consent.objections(
        [(4, ["yes", ""], "[]", "line 4: ragged"), *((n, [f"v{n}", "a@b.test"], "[]", "") for n in range(5, 9))]
    )
    (notice,) = consent.notices(whole=True)
    assert (notice.line, notice.column) == (3, 1)
    assert notice.message.startswith(
        "4 of 4 rows say in column `unsubscribed` that they may not be mailed (`v5`, `v6`, `v7`)"
    )


@pytest.mark.parametrize(
    "name",
    [
        "unsubscribed_email_audience_export_0a1b2c.csv",
        "cleaned_email_audience_export_0a1b2c.csv",
        "nonsubscribed_email_audience_export_0a1b2c.csv",
        "Non-subscribed contacts.csv",
        "suppression list.csv",
        "Unsubscribes.csv",
        "2026-11 unsubscribed.csv",
        "abmeldungen.csv",
        "complaints.csv",
        "Désabonnés.csv",
        "opt-outs.csv",
    ],
)
def test_the_name_of_a_file_may_say_that_its_people_have_left(name):
    (message,) = told("first_name", ["Ann"], path=f"/c/{name}")
    assert "the name of this file says `" in message
    assert "put it under `suppress`" in message


def test_the_name_is_shown_as_it_is_written():
    (message,) = told("first_name", ["Ann"], path="/c/Hard Bounces 2026.csv")
    assert message.startswith("the name of this file says `Hard Bounces 2026`; ")


@pytest.mark.parametrize("name", ["subscribed_email_audience_export", "list without unsubscribed", "2026 spring"])
def test_the_name_of_other_files_says_nothing(name):
    assert told("name", ["Ann"], path=f"/unsubscribed/{name}.csv") == []


@given(st.text(max_size=30), st.lists(st.text(max_size=12), max_size=6))
def test_any_name_and_any_cells_give_at_most_one_notice(name, cells):
    assert len(told(name, cells)) <= 1
    assert kind_of(name) in ("", "left", "may", "switch", "anything")


def objections(names: list[str], rows: list[list[str]], rule: object = "auto") -> dict[int, str]:
    consent = Consent("l.csv", 1, names, list(range(1, len(names) + 1)), rule)
    return consent.objections([(number, cells, "[]", "") for number, cells in enumerate(rows, 2)])


@pytest.mark.parametrize(("program", "name", "cells", "count"), FORMATS, ids=lambda value: str(value)[:30])
def test_the_rows_that_say_no_are_left_out(program, name, cells, count):
    found = objections(["email", name], [["a@b.test", cell] for cell in cells])
    assert len(found) == count, program
    assert all(why == f"the column `{name}` says `{cells[at]}`" for at, why in found.items())


def test_of_several_columns_the_strict_one_counts():
    names = ["Email", "Email Marketing Consent", "Email Suppressions"]
    rows = [
        ["a@b.test", "SUBSCRIBED", ""],
        ["c@b.test", "SUBSCRIBED", "USER_SUPPRESSED"],
        ["d@b.test", "UNSUBSCRIBED", ""],
    ]
    assert objections(names, rows) == {
        1: "the column `Email Suppressions` says `USER_SUPPRESSED`",
        2: "the column `Email Marketing Consent` says `UNSUBSCRIBED`",
    }


def test_a_plan_is_no_consent():
    assert objections(["email", "Status"], [["a@b.test", "past_due"], ["c@b.test", "disabled"]]) == {}
    assert objections(["email", "Status"], [["a@b.test", "enabled"], ["c@b.test", "disabled"]]).keys() == {1}


def test_none_leaves_nobody_out_and_tells_it():
    consent = Consent("l.csv", 1, ["email", "Unsubscribed"], [1, 7], "none")
    assert consent.objections([(2, ["a@b.test", "yes"], "[]", "")]) == {}
    (notice,) = consent.notices(whole=True)
    assert notice.message.endswith("and they are mailed; to leave them out, take `consent: none` away")


def test_a_column_that_is_named_counts_alone():
    rule = {"column": "opted in", "yes": ["Yes", "1"]}
    rows = [["a@b.test", "yes", "x"], ["c@b.test", "", ""], ["d@b.test", "maybe", ""], ["e@b.test", "1", ""]]
    assert objections(["email", "Opted_In", "do-not-email"], rows, rule) == {
        1: "the column `Opted_In` says ``",
        2: "the column `Opted_In` says `maybe`",
    }


def test_what_does_not_count_is_told_with_the_remedy():
    rule = {"column": "ok", "yes": ["1"]}
    consent = Consent("l.csv", 1, ["email", "ok", "do-not-email"], [1, 7, 10], rule)
    assert consent.objections([(2, ["a@b.test", "1", "x"], "[]", ""), (3, ["c@b.test", "0", ""], "[]", "")]) == {
        1: "the column `ok` says `0`"
    }
    first, second = consent.notices(whole=True)
    assert first.message == "1 of 2 rows say in column `ok` that they may not be mailed (`0`), and are left out"
    assert "`x`), and they are mailed; to leave them out, name a column that says both" in second.message


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["email", "opted"], "did you mean `opted`?"),
        (["email", "city"], "correct the name"),
        (["email", "Opted In", "opted_in"], "more than one is named so"),
    ],
)
def test_a_list_without_the_named_column_is_refused(names, words):
    with pytest.raises(Refused, match="`consent` names the column `opted-in`") as refused:
        objections(names, [], {"column": "opted-in", "yes": ["1"]})
    assert words in str(refused.value)


def test_a_link_to_unsubscribe_by_is_no_refusal():
    assert objections(["email", "unsubscribe"], [["a@b.test", "https://a.test/u/1"]]) == {}


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/c/unsubscribed_email_audience_export_0a1b2c.csv", "unsubscribed"),
        ("/c/nonsubscribed_email_audience_export_0a1b2c.csv", "nonsubscribed"),
        ("Cleaned_members_export_9.csv", "cleaned"),
        ("/c/unsubscribed_segment_export.csv", "unsubscribed"),
    ],
)
def test_the_files_of_an_export_that_are_no_subscribers_are_left_out(path, word):
    rows = [(2, ["a@b.test"], "[]", ""), (3, ["c@b.test"], "[]", "line 3: bad")]
    consent = Consent(path, 1, ["email"], [1])
    assert consent
    assert consent.objections(rows) == {0: f"the name of the file says `{word}`"}
    (notice,) = consent.notices(whole=True)
    assert f"the name of this file says `{word}`, and its people are left out" in notice.message
    assert Consent(path, 1, ["email"], [1], "none").objections(rows) == {}


@pytest.mark.parametrize("name", ["subscribed_email_audience_export_1.csv", "unsubscribed_winback.csv", "list.csv"])
def test_other_files_are_not(name):
    assert (
        Consent(f"/nonsubscribed_members_export/{name}", 1, ["email"], [1]).objections([(2, ["a@b.t"], "", "")]) == {}
    )
