from __future__ import annotations

import dataclasses
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Category
from bulkmail.returns import Action, Kind, Return, Source, Weight, read
from tests.returns import samples
from tests.returns.further_vendors import FURTHER_VENDORS
from tests.returns.hostile import HOSTILE
from tests.returns.mutants import known_tokens, mutant
from tests.returns.rarer_reports import RARER_REPORTS
from tests.returns.samples import ADDRESS, OTHER_TOKEN, PATH, TOKEN, block, blocks, octets, plain, report
from tests.returns.vendors import VENDORS
from tests.returns.written_reports import WRITTEN_REPORTS

ALL = {**samples.FAILURES, **samples.OTHERS}
KINDS = {
    "delayed": Kind.DELAYED,
    "relayed": Kind.RELAYED,
    "complaint": Kind.COMPLAINT,
    "disposition": Kind.DISPOSITION,
    "vacation": Kind.AUTO_REPLY,
}


def said(message, recipient=PATH):
    """Return the kind, and of each block the recipient, the category and the weight."""
    given = read(message, recipient=recipient, sender="")
    return given.kind, [(one.recipient, one.category, one.weight) for one in given.blocks if not one.void]


@pytest.mark.parametrize("name", ALL)
def test_the_kind_of_each_layout(name):
    given = read(ALL[name], recipient=PATH)
    assert given.kind is KINDS.get(name, Kind.FAILED)
    assert given.token == TOKEN
    assert given.candidates[0].source is Source.ENVELOPE
    assert given.reason


@pytest.mark.parametrize("name", ALL)
def test_line_ends_do_not_matter(name):
    given = read(ALL[name], recipient=PATH)
    assert read(ALL[name].replace(b"\r\n", b"\n"), recipient=PATH) == given


LARGE = {**VENDORS, **FURTHER_VENDORS, **RARER_REPORTS}


@pytest.mark.parametrize("name", LARGE)
def test_the_layouts_of_large_providers(name):
    message, kind, wanted = LARGE[name]
    assert said(message) == (kind, wanted)
    assert read(message, recipient=PATH).token == TOKEN


@pytest.mark.parametrize(
    "subject",
    [
        "Delivery delayed:spring",
        "Zustellung verzögert:Frühling",
        "Remise différée :printemps",
        "Remise retardée : printemps",
        "Entrega retrasada: primavera",
        "Consegna ritardata: primavera",
        "Entrega atrasada: primavera",
        "Bezorging vertraagd: lente",
        "Leveransen är försenad: vår",
        "Opóźnione dostarczenie: wiosna",
        "Доставка отложена: весна",
        "Задержка доставки: весна",
        "配信遅延: 春",
        "配信が遅れています: 春",
        "传递延迟: 春天",
        "邮件传递延迟: 春天",
        "傳遞延遲: 春天",
        "배달 지연: 봄",
        "Teslim gecikti: bahar",
        "Doručení zpožděno: jaro",
        "Levering forsinket: forår",
        "Toimitus viivästynyt: kevät",
        "Késleltetett kézbesítés: tavasz",
        "Καθυστέρηση παράδοσης: άνοιξη",
    ],
)
def test_a_warning_whose_status_part_was_taken_away(subject):
    top = f"To: {PATH}\nFrom: Microsoft Outlook <postmaster@corp.example>\nSubject: {subject}\n\n"
    given = read(octets(f"{top}Text:\n\n{ADDRESS}<mailto:{ADDRESS}>\n\n#4.4.7 Message delayed ##\n"), sender="")
    assert given.kind is Kind.DELAYED


@pytest.mark.parametrize(
    "subject",
    ["Automatische Antwort: Ihre Lieferung ist verzögert", "自动回复: 延迟", "Out of office: delivery report"],
)
def test_an_automatic_reply_to_a_letter_about_a_delivery_is_no_report(subject):
    message = octets(f"To: {PATH}\nFrom: Ann <ann@d.example>\nSubject: {subject}\n\nI am away until Monday.\n")
    assert read(message, recipient=PATH, sender="").kind is Kind.AUTO_REPLY


@pytest.mark.parametrize("name", WRITTEN_REPORTS)
def test_what_mail_programs_write(name):
    one = WRITTEN_REPORTS[name]
    given = read(one.message, recipient=one.recipient, sender=one.sender)
    assert given.kind == one.kind
    if one.weight:
        blamed = [(block.recipient, block.category, block.weight) for block in given.blocks]
        assert blamed == [("nobody@d.example", one.category, one.weight)]
    assert given.kind is Kind.OTHER or given.token == TOKEN


HARD = (Category.BAD_MAILBOX, Weight.HARD)


@pytest.mark.parametrize("name", ["postfix", "exim", "opensmtpd", "courier", "dma"])
def test_an_unknown_user(name):
    assert said(samples.FAILURES[name]) == (Kind.FAILED, [(ADDRESS, *HARD)])


def test_several_recipients():
    policy = (ADDRESS, Category.POLICY, Weight.BLOCKED)
    assert said(samples.SENDMAIL) == (Kind.FAILED, [("nobody1@d.example", *HARD), policy])
    assert said(samples.QMAIL) == (
        Kind.FAILED,
        [
            ("nobody1@d.example", *HARD),
            policy,
            ("user@nx.example", Category.BAD_DOMAIN, Weight.HARD),
            ("full@down.example", Category.CONNECTION, Weight.SOFT),
        ],
    )


def test_whom_nullmailer_never_tried():
    given = read(samples.NULLMAILER, recipient=PATH)
    assert [one.recipient for one in given.blocks if not one.void] == ["nobody1@d.example"]
    assert given.block_for(ADDRESS) is None


def test_a_full_mailbox_in_one_block():
    assert said(samples.DOVECOT_FULL) == (Kind.FAILED, [(ADDRESS, Category.QUOTA, Weight.BLOCKED)])


@pytest.mark.parametrize("name", ["exchange-german", "exchange-french"])
def test_exchange_in_other_languages(name):
    assert said(samples.FAILURES[name]) == (Kind.FAILED, [("ann@corp.example", *HARD)])


def test_the_target_of_a_forward_is_a_detail():
    given = read(samples.COURIER, recipient=PATH)
    assert given.block_for(ADDRESS) is given.blocks[0]
    assert given.blocks[0].final == "nobody.fwd@e.example"
    shared = read(samples.COURIER, recipient="bounces@in.example.com")
    assert shared.block_for("nobody.fwd@e.example") is None
    assert shared.block_for(ADDRESS) is shared.blocks[0]


def test_envelope_ids():
    assert read(samples.EXIM).envelope_id == f"Q{TOKEN}+1"
    top = "Reporting-MTA: dns; x\nOriginal-Envelope-Id: Qabc+2B1\n\n"
    assert read(report(top + block())).envelope_id == "Qabc+2B1"


def test_reports_without_an_envelope_are_found_by_the_copy():
    given = read(samples.POSTFIX, recipient="bounces@in.example.com")
    assert given.token == TOKEN
    assert given.candidates[0].source is Source.MESSAGE_ID


def test_a_copy_of_another_letter_makes_nothing_certain():
    other = samples.POSTFIX.replace(f"q2w3e4r5.{TOKEN}".encode(), f"q2w3e4r5.{OTHER_TOKEN}".encode())
    given = read(other, recipient=PATH)
    assert given.contradicted
    assert given.token == ""


def test_a_block_that_stands_outside_of_the_status_part_is_told():
    message = report(blocks(block()), text="x\n\nFinal-Recipient: rfc822; b@d.example\nAction: failed\n")
    given = read(message, recipient=PATH)
    assert given.unread == 1
    assert given.block_for(ADDRESS) is None


def test_international_reports():
    """RFC 6533; the standard library takes this part for an enclosed letter."""
    message = report(
        blocks("Final-Recipient: utf-8; δοκιμή@d.example\nAction: failed\nStatus: 5.1.1\n"),
        kind="message/global-delivery-status",
        copy_kind="message/global",
    )
    assert said(message) == (Kind.FAILED, [("δοκιμή@d.example", *HARD)])


@pytest.mark.parametrize(
    ("kind", "container"),
    [
        ("text/plain", "multipart/report; report-type=delivery-status"),
        ("message/delivery-status", "multipart/mixed"),
        ("message/delivery-status; charset=us-ascii", "multipart/report"),
        ("text/plain", "multipart/mixed"),
    ],
)
def test_reports_without_the_right_content_type(kind, container):
    assert said(report(blocks(block()), kind=kind, container=container)) == (Kind.FAILED, [(ADDRESS, *HARD)])


def test_a_report_whose_container_got_lost():
    message = samples.POSTFIX.replace(b"Content-Type: multipart/report;", b"X-Was: multipart/report;", 1)
    assert said(message) == (Kind.FAILED, [(ADDRESS, *HARD)])
    silent = report(blocks(block()), text="x").replace(b"Content-Type: multipart/report;", b"X-Was: x;", 1)
    assert said(silent) == (Kind.FAILED, [])  # what was lost might have said more
    person = message.replace(b"MAILER-DAEMON@", b"joe@").replace(b"Mail Delivery System", b"Joe")
    person = person.replace(b"Auto-Submitted", b"X-Was")
    assert read(person, recipient="help@example.com", sender="joe@d.example").kind is Kind.OTHER


def test_status_fields_within_a_text():
    text = f"It failed.\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; {ADDRESS}\nAction: failed\nStatus: 5.1.1\n"
    assert said(plain(text)) == (Kind.FAILED, [(ADDRESS, *HARD)])


def test_a_report_that_keeps_nothing():
    text = "Hi. This is the qmail-send program at mta.host.example.\n\n<a@d.example>:\nuser unknown (#5.1.1)\n"
    given = read(plain(text), recipient=PATH)
    assert given.kind is Kind.FAILED
    assert not given.copy
    assert given.token == TOKEN


def test_failed_recipients_alone():
    message = octets(
        f"From: Mail Delivery Subsystem <mailer-daemon@googlemail.example>\nTo: {PATH}\n"
        f"X-Failed-Recipients: {ADDRESS}\nSubject: Delivery Status Notification (Failure)\n\n"
        "The response was:\n\n550 5.1.1 The email account that you tried to reach does not exist\n"
    )
    assert said(message) == (Kind.FAILED, [(ADDRESS, *HARD)])


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Warning: could not send message for past 4 hours", "<a@d.example>: 450 4.2.0 try later\n"),
        ("Delivery Status Notification (Delay)", "a@d.example: 450 4.2.0 greylisted\n"),
        ("failure notice", "a@d.example: 450 4.2.0 no\n\nDelivery attempts will continue for some days.\n"),
    ],
)
def test_delays_told_by_a_text(subject, text):
    given = read(plain(text, subject=subject), recipient=PATH)
    assert given.kind is Kind.DELAYED
    assert given.blocks[0].weight is None


def test_a_subject_that_repeats_the_message_s_makes_no_delay_of_a_failure():
    text = "Hi. This is the qmail-send program at mta.host.example.\n\n<a@d.example>:\nuser unknown (#5.1.1)\n"
    assert read(plain(text, subject="failure notice: Delayed trains")).kind is Kind.FAILED
    assert read(plain(text, subject="Undeliverable: la difference")).kind is Kind.FAILED


def test_a_complaint_that_encloses_a_bounce_is_a_complaint():
    """flufl.bounce takes the enclosed bounce's recipient for a failure."""
    message = samples.ARF.replace(octets(samples.LETTER), samples.POSTFIX)
    given = read(message, recipient=PATH)
    assert given.kind is Kind.COMPLAINT
    assert given.blocks == ()


def test_a_complaint_that_keeps_only_headers():
    message = samples.ARF.replace(octets(samples.LETTER), octets(samples.HEADER)).replace(
        b"Content-Type: message/rfc822", b"Content-Type: text/rfc822-headers"
    )
    given = read(message, recipient="fbl@in.example.com")
    assert given.token == TOKEN


def test_loops():
    own = octets(samples.LETTER)
    assert read(own, recipient=PATH).kind is Kind.LOOP
    twice = report(blocks(block()), copy=samples.POSTFIX.decode().replace("\r\n", "\n"), copy_kind="message/rfc822")
    assert read(twice, recipient=PATH).kind is Kind.LOOP
    assert read(report(blocks(block(PATH))), recipient=PATH).kind is Kind.LOOP


def test_back_scatter():
    letter = "From: News <news@example.com>\nSubject: pills\nMessage-ID: <1@spam.example>\n"
    given = read(
        report(blocks(block()), copy=letter).replace(PATH.encode(), b"news@example.com"), recipient="news@example.com"
    )
    assert given.stray
    assert given.token == ""
    assert not read(samples.POSTFIX, recipient=PATH).stray


@pytest.mark.parametrize(
    "message",
    [b"", b"\r\n\r\n", b"no header at all", b"\x00" * 100, report("nothing to read\n"), plain("It failed.\n")],
)
def test_what_cannot_be_read_says_so(message):
    given = read(message, recipient=PATH)
    assert given.kind is Kind.UNREADABLE
    assert given.reason
    assert given.blocks == ()


def test_the_gravest_action_names_the_kind():
    message = report(
        blocks(block("a@d.example", "relayed", "2.0.0"), block("b@d.example"), block("c@d.example", "delayed", "4.2.2"))
    )
    given = read(message, recipient=PATH)
    assert given.kind is Kind.FAILED
    assert [one.action for one in given.blocks] == [Action.RELAYED, Action.FAILED, Action.DELAYED]


def check(given):
    """Check what holds of every `Return`, whatever the bytes were."""
    assert isinstance(given, Return)
    assert given.reason
    assert "\n" not in given.reason
    assert len(given.blocks) <= 100
    for one in given.blocks:
        assert (one.weight is not None) == (one.action is Action.FAILED and not one.void)
        assert len(one.reply) <= 512
        assert "\n" not in one.reply + one.remote_mta + one.recipient
        assert one.recipient
    for one in given.candidates:
        assert len(one.token) == 26
        assert set(one.token) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert not given.blocks or given.kind.value in set(Action)
    assert dataclasses.replace(given) == given


@given(st.binary(max_size=2000), st.text(max_size=60))
def test_any_bytes_are_judged(some, recipient):
    check(read(some, recipient=recipient))


PIECES = st.sampled_from(
    [
        b"\r\n",
        b"\n\n",
        b"--b",
        b"--b--",
        b" ",
        b"\xff",
        b"Content-Type: multipart/report; boundary=b\r\n",
        b"Content-Type: message/delivery-status\r\n\r\n",
        b"Content-Type: message/feedback-report\r\n\r\n",
        b"Reporting-MTA: dns; x\r\n",
        b"Final-Recipient: rfc822; a@b.example\r\n",
        b"Action: failed\r\n",
        b"Status: 5.1.1\r\n",
        b"Diagnostic-Code: smtp; 550 5.1.1 <c@d.example>\r\n",
        b"From: MAILER-DAEMON\r\n",
        b"Subject: bounce\r\n",
        b"<a@b.example>:\r\n",
        b"550 5.1.1 no",
        b"X-Failed-Recipients: a@b.example, c@d.example\r\n",
        b"Feedback-Type: abuse\r\n",
        b"Precedence: bulk\r\n",
    ]
)


@given(st.lists(PIECES, max_size=30))
def test_any_pieces_of_reports_are_judged(some):
    check(read(b"".join(some), recipient=PATH, sender=""))


address = st.builds("{}@{}.example".format, st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.sampled_from(["d", "e"]))
REPLIES = {
    "550 5.1.1 User unknown": Weight.HARD,
    "550 5.7.1 blocked by policy": Weight.BLOCKED,
    "452 4.2.2 over quota": Weight.SOFT,
}


@given(
    st.lists(st.tuples(address, st.sampled_from(sorted(REPLIES))), min_size=1, max_size=6, unique_by=lambda one: one[0])
)
def test_a_report_put_together_is_read_back(some):
    message = report(
        blocks(*(block(one, status="5.0.0", diagnostic=f"smtp; {reply}") for one, reply in some)), text="x"
    )
    given = read(message, recipient="bounces@in.example.com")
    assert [(one.recipient, one.weight) for one in given.blocks] == [(one, REPLIES[reply]) for one, reply in some]
    for one, reply in some:
        found = given.block_for(one)
        assert found is not None
        assert found.weight is REPLIES[reply]


@pytest.mark.parametrize("name", samples.OTHERS)
def test_no_cut_makes_a_failure_of_what_is_none(name):
    message = ALL[name]
    for length in range(0, len(message), 7):
        given = read(message[:length], recipient=PATH, sender="")
        assert given.kind is not Kind.FAILED or not any(one.weight is Weight.HARD for one in given.blocks)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_reports_blame_nobody_else(seed):
    """bench/returns.py makes 100,000 of these; here 2,000."""
    dice = random.Random(seed)
    for _ in range(500):
        made = mutant(dice)
        given = read(made.message, recipient=made.recipient, sender="")
        check(given)
        assert made.wrong(given) == ""
    assert TOKEN in known_tokens()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_messages_are_bounded(name):
    """They cost 3 to 30 ms (bench/returns.py); what takes longer than this on a busy machine grows without bound."""
    before = time.process_time()
    check(read(HOSTILE[name], recipient=PATH, sender=""))
    assert time.process_time() - before < 2.0
