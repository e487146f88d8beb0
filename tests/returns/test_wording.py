from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Category, Fate, Outcome, Reply, Stage, Status
from bulkmail.returns import Weight
from bulkmail.returns.wording import judge, said, stage_in, status_in
from bulkmail.shaping import classify, status_of

C, W = Category, Weight


@pytest.mark.parametrize(
    ("text", "code", "enhanced", "lines"),
    [
        ("550 5.1.1 User unknown", 550, "5.1.1", ("5.1.1 User unknown",)),
        ("550 No such user here", 550, "", ("No such user here",)),
        ("550-5.1.1 The account 550-5.1.1 that you 550 5.1.1 tried", 550, "5.1.1",
         ("5.1.1 The account", "5.1.1 that you", "5.1.1 tried")),
        ("#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##", 550, "5.1.1",
         ("5.1.1 RESOLVER.ADR.RecipNotFound; not found ##",)),
        ("550: 5.1.1 <a@b>: gone", 550, "5.1.1", ("5.1.1 <a@b>: gone",)),
        (", ERROR CODE :550 - 5.1.1 gone", 550, "5.1.1", ("5.1.1 gone",)),
        ("<mx.d.example #5.1.1 smtp;550 5.1.1 gone>", 550, "5.1.1", ("5.1.1 gone>",)),
        ("host mx[192.0.2.250] said: 452 4.2.2 full (in reply to RCPT TO command)", 452, "4.2.2", ("4.2.2 full",)),
        ("connect to mx[192.0.2.25]:25: Connection refused", 0, "",
         ("connect to mx[192.0.2.25]:25: Connection refused",)),
        ("after 450 seconds, 550 5.7.1 blocked", 550, "5.7.1", ("5.7.1 blocked",)),
        ("Sorry, no mailbox here by that name. (#5.1.1)", 0, "5.1.1",
         ("Sorry, no mailbox here by that name. (#5.1.1)",)),
        ("SMTP error code 550", 550, "", ("SMTP error code 550",)),
        ("550 5.1.1 gone\n\nAnother paragraph", 550, "5.1.1", ("5.1.1 gone",)),
        ("", 0, "", ("",)),
    ],
)  # fmt: skip
def test_the_reply_in_a_report_s_words(text, code, enhanced, lines):
    found = said(text)
    assert (found.code, found.enhanced, found.lines) == (code, enhanced, lines)


def test_the_words_in_an_address_say_nothing():
    assert judge(said("Sorry, <no-such-user@d.example>"), "").category is C.OTHER
    assert judge(said("<policy@"), "").category is C.OTHER
    assert judge(said("<polic"), "").category is C.OTHER


def test_status_fields():
    assert status_in("5.1.1 (bad destination mailbox address)") == "5.1.1"
    assert status_in("5.7.515") == "5.7.515"
    assert status_in("5.1") == ""
    assert status_in("9.1.1") == ""


def test_the_stage():
    assert stage_in("(in reply to MAIL FROM command)") is Stage.MAIL
    assert stage_in("after RCPT TO:<a@b>") is Stage.RCPT
    assert stage_in("(in reply to end of DATA command)") is Stage.DOT
    assert stage_in("192.0.2.1 failed after I sent the message.") is Stage.DOT
    assert stage_in("(in reply to DATA command)") is Stage.DATA
    assert stage_in("") is Stage.RCPT


@pytest.mark.parametrize(
    ("words", "status", "category", "weight"),
    [
        ("550 5.1.1 User unknown", "5.1.1", C.BAD_MAILBOX, W.HARD),
        ("550 5.1.1 User unknown", "5.0.0", C.BAD_MAILBOX, W.HARD),
        ("550 No such user here", "5.0.0", C.BAD_MAILBOX, W.HARD),
        ("550 5.7.1 Message blocked by policy", "5.0.0", C.POLICY, W.BLOCKED),
        ("550 5.7.1 User unknown", "5.1.1", C.POLICY, W.BLOCKED),
        ("554 5.7.1 Service unavailable; client host blocked using zen.spamhaus.org", "5.7.1",
         C.SPAM_REPUTATION, W.BLOCKED),
        # a mailbox that stayed full, as five servers report it
        ("452 4.2.2 The mailbox is over quota", "4.2.2", C.QUOTA, W.SOFT),
        ("452 4.2.2 The mailbox is over quota: retry timeout exceeded", "5.0.0", C.QUOTA, W.SOFT),
        ("Envelope expired", "5.4.7", C.EXPIRED, W.SOFT),
        ("452 4.2.2 The mailbox is over quota", "4.4.7", C.QUOTA, W.SOFT),
        ("452 4.2.2 The mailbox is over quota", "5.0.0", C.QUOTA, W.SOFT),
        ("552 5.2.2 The mailbox is over quota", "5.2.2", C.QUOTA, W.BLOCKED),
        ("", "4.4.7", C.EXPIRED, W.SOFT),
        ("", "5.0.0", C.OTHER, W.SOFT),
        ("", "", C.OTHER, W.BLOCKED),
        ("", "5.1.1", C.BAD_MAILBOX, W.HARD),
        ("", "5.2.2", C.QUOTA, W.BLOCKED),
        ("", "4.2.2", C.QUOTA, W.SOFT),
        ("Unrouteable address", "5.0.0", C.BAD_DOMAIN, W.HARD),
        ("No such domain.", "5.0.0", C.BAD_DOMAIN, W.HARD),
        ("Host or domain name not found. Name service error for name=nx.example type=A: Host not found", "5.4.4",
         C.BAD_DOMAIN, W.HARD),
        ("Host or domain name not found. Name service error for name=x type=MX: Host not found, try again", "4.4.3",
         C.DNS, W.SOFT),
        ("Domain d.example does not accept mail (nullMX)", "5.1.0", C.BAD_DOMAIN, W.HARD),
        ("Sorry, I couldn't find any host named nx.example. (#5.1.2)", "", C.BAD_DOMAIN, W.HARD),
        ("DNS Error: DNS type 'mx' lookup of nx.example responded with code NXDOMAIN", "4.0.0", C.BAD_DOMAIN, W.SOFT),
        ("connect to mx.d.example[192.0.2.1]:25: Connection timed out", "4.4.1", C.CONNECTION, W.SOFT),
        ("Domain does not exist", "5.0.0", C.BAD_DOMAIN, W.HARD),
        ("No MX found for domain", "5.0.0", C.BAD_DOMAIN, W.HARD),
        ("Network error on destination MXs", "5.0.0", C.CONNECTION, W.SOFT),
        ("retry timeout exceeded", "5.0.0", C.EXPIRED, W.SOFT),
        ("all hosts for 'd.example' have been failing for a long time (and retry time not reached)", "5.0.0", C.EXPIRED,
         W.SOFT),
        ("Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)", "", C.BAD_DOMAIN, W.HARD),
        ("Connection refused: retry timeout exceeded", "5.0.0", C.CONNECTION, W.SOFT),
        ("550 Host unknown (Name server: nx.example: host not found)", "5.1.2", C.BAD_DOMAIN, W.HARD),
        ("Could not deliver for the last 432000 seconds, giving up", "", C.EXPIRED, W.SOFT),
        ("550 5.2.2 STOREDRV.Deliver; mailbox full", "5.2.2", C.QUOTA, W.BLOCKED),
        ("550 5.4.310 DNS domain nx.example does not exist [Message=InfoDomainNonexistent]",
         "5.4.310", C.BAD_DOMAIN, W.HARD),
        ("550 5.7.133 RESOLVER.RST.RestrictedToRecipientsPermission; not authorized", "5.7.133", C.POLICY, W.BLOCKED),
        ("550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP",
         "5.7.708", C.POLICY, W.BLOCKED),
        ("554 5.4.14 Hop count exceeded - possible mail loop ATTR34", "5.4.14", C.ROUTING, W.BLOCKED),
        ("mail for d.example loops back to myself", "5.4.6", C.ROUTING, W.BLOCKED),
        ("550 4.4.7 QUEUE.Expired; message expired", "4.4.7", C.EXPIRED, W.SOFT),
        ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "5.1.10",
         C.BAD_MAILBOX, W.HARD),
        ("550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required", "5.7.133",
         C.AUTHENTICATION, W.BLOCKED),
        ("Sorry, no mailbox here by that name. (#5.1.1)", "", C.BAD_MAILBOX, W.HARD),
        ("lowest numbered MX record points to local host", "5.0.0", C.ROUTING, W.BLOCKED),
        ("host lookup did not complete: retry timeout exceeded", "", C.DNS, W.SOFT),
        ("CNAME lookup failed temporarily. (#4.4.3)", "", C.DNS, W.SOFT),
        ("No MX or A records for d.example", "", C.BAD_DOMAIN, W.HARD),
        ("No mail servers appear to exists for the recipient's address.", "", C.BAD_DOMAIN, W.HARD),
        ("Sender address rejected: Domain not found", "5.1.8", C.INVALID_SENDER, W.BLOCKED),
        ("the domain of the sender does not exist", "5.0.0", C.INVALID_SENDER, W.BLOCKED),
        ("Cannot start TLS: handshake failure", "4.7.5", C.TLS, W.SOFT),
        ("550-5.7.0 Message considered as spam or virus, rejected", "5.7.0", C.SPAM_CONTENT, W.BLOCKED),
        ("550 Mailbox temporarily unavailable, try again later", "5.0.0", C.BAD_MAILBOX, W.SOFT),
    ],
)  # fmt: skip
def test_what_a_failure_counts_as(words, status, category, weight):
    judgement = judge(said(words), status)
    assert (judgement.category, judgement.weight) == (category, weight)


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DOT])
@pytest.mark.parametrize(
    "reply",
    [
        "550 5.1.1 no such user",
        "550 5.7.1 blocked by policy",
        "554 5.7.1 listed by spamhaus",
        "552 5.3.4 message too big",
        "550 5.7.26 unauthenticated",
    ],
)
def test_the_same_words_mean_the_same_as_in_a_live_dialogue(stage, reply):
    where = {Stage.MAIL: " (in reply to MAIL FROM command)", Stage.DOT: " (in reply to end of DATA command)"}
    judgement = judge(said(f"host mx.d.example[192.0.2.1] said: {reply}{where.get(stage, '')}"), reply[4:9].strip())
    live = classify(Outcome(Fate.REFUSED, stage, Reply(int(reply[:3]), (reply[4:],))))
    assert judgement.category == live.category
    assert (judgement.weight is W.HARD) == (status_of(live) is Status.BOUNCED)


@given(
    st.text(st.sampled_from("45012. -#:;(\n<>@xsaid"), max_size=200), st.sampled_from(["", "5.0.0", "4.2.2", "5.4.7"])
)
def test_any_words_are_judged(text, status):
    found = said(text)
    assert found.code == 0 or 200 <= found.code <= 599
    judgement = judge(found, status)
    assert status[:1] != "4" or judgement.weight is W.SOFT
    assert len(found.text) <= 512
    assert "\n" not in found.text


@pytest.mark.parametrize("piece", ["550 ", "550-5.1.1 ", "5.1.", "said: 550", "  ", "550 5.1.1 <a@b.example> ", "a@"])
def test_long_words_cost_little(piece):
    before = time.process_time()
    judge(said(piece * 100_000), "5.0.0")
    assert time.process_time() - before < 1.0
