from __future__ import annotations

import pytest

from bulkmail.mail import Category
from bulkmail.returns import Action, Weight
from bulkmail.returns.blocks import finish, looks_like_status, read_status
from bulkmail.returns.mime import Fields, Part
from bulkmail.returns.prose import entries

TOP = "Reporting-MTA: dns; mta.host.example\n\n"


def status(text, xtext=False):
    return read_status(Part("message/delivery-status", Fields(b""), text.encode()), xtext=xtext)


def finished(text, told="", ours=(), forwards=()):
    return finish(status(text).blocks, entries(told), ours, forwards)


def test_blocks_in_any_order_of_fields():
    report = status(TOP + "Action: Failed\nFinal-Recipient: rfc822;a@d.example\nStatus: 5.0.0\n\n"
                    "Final-Recipient: rfc822; b@d.example\nStatus: 4.2.2 (full)\nAction: delayed\n")  # fmt: skip
    assert [(raw.final, raw.action, raw.status) for raw in report.blocks] == [
        ("a@d.example", Action.FAILED, "5.0.0"),
        ("b@d.example", Action.DELAYED, "4.2.2"),
    ]
    assert report.message.get("reporting-mta") == "dns; mta.host.example"
    assert report.unread == 0


def test_one_block_for_the_message_and_its_recipient():
    """Dovecot's mailbox-full report has no empty line."""
    report = status("Reporting-MTA: dns; x\nOriginal-Recipient: rfc822; a@d.example\n"
                    "Final-Recipient: rfc822; a@d.example\nAction: failed\nStatus: 5.2.2\n")  # fmt: skip
    assert report.message.get("reporting-mta") == "dns; x"
    assert [raw.final for raw in report.blocks] == ["a@d.example"]


def test_a_lost_empty_line_does_not_mix_two_recipients():
    report = status(TOP + "Final-Recipient: rfc822; a@d.example\nAction: failed\nStatus: 5.1.1\n"
                    "Final-Recipient: rfc822; b@d.example\nAction: delayed\nStatus: 4.2.2\n")  # fmt: skip
    assert [(raw.final, raw.action) for raw in report.blocks] == [
        ("a@d.example", Action.FAILED),
        ("b@d.example", Action.DELAYED),
    ]


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ("Action: failed\nStatus: 5.1.1\n", Action.FAILED),
        ("Action: relayed (to non-DSN-aware mailer)\nStatus: 2.1.5\n", Action.RELAYED),
        ("Action: DELAYED\n", Action.DELAYED),
        ("Status: 5.1.1\n", Action.FAILED),
        ("Status: 4.1.1\n", Action.DELAYED),
        ("Status: 2.0.0\n", Action.RELAYED),
        ("Action: faild\nStatus: 5.1.1\n", None),
        ("Action:\nStatus: 5.1.1\n", None),
        ("Diagnostic-Code: smtp; 550 gone\n", None),
    ],
)
def test_the_action(fields, action):
    report = status(TOP + "Final-Recipient: rfc822; a@d.example\n" + fields)
    assert [raw.action for raw in report.blocks] == ([action] if action else [])
    assert report.unread == (action is None)


def test_a_block_without_an_address_is_unread():
    assert status(TOP + "Final-Recipient: x400; /C=DE\nAction: failed\n").unread == 1


def test_what_exim_repeats_is_decoded_and_what_others_have_decoded_is_not():
    text = TOP + "Final-Recipient: rfc822; a@d.example\nOriginal-Recipient: rfc822;u+2Bt@d.example\nAction: failed\n"
    assert status(text, xtext=True).blocks[0].original == "u+t@d.example"
    assert status(text).blocks[0].original == "u+2Bt@d.example"


def test_the_text_says_what_the_fields_leave_out():
    block = finished(TOP + "Final-Recipient: rfc822; a@d.example\nAction: failed\nStatus: 5.0.0\n",
                     "a@d.example: 550 5.1.1 User unknown\n")[0]  # fmt: skip
    assert (block.code, block.enhanced, block.weight) == (550, "5.1.1", Weight.HARD)


def test_the_text_of_another_recipient_is_not_taken():
    told = "<b@d.example>: 550 5.1.1 User unknown\n<c@d.example>: 550 5.1.1 User unknown\n"
    block = finished(TOP + "Final-Recipient: rfc822; a@d.example\nAction: failed\nStatus: 5.1.1\n", told)[0]
    assert (block.code, block.weight) == (0, None)
    assert "no known reason" in block.void


def test_the_fields_beat_the_text():
    block = finished(TOP + "Final-Recipient: rfc822; a@d.example\nAction: failed\nStatus: 5.7.1\n"
                     "Diagnostic-Code: SMTP; 550 5.7.1 blocked by policy\n",
                     "<a@d.example>: 550 5.1.1 unknown\n")[0]  # fmt: skip
    assert block.weight is Weight.BLOCKED


def test_the_words_of_the_fields_beat_a_reply_in_the_text():
    block = finished(TOP + "Final-Recipient: rfc822; a@d.example\nAction: failed\nStatus: 5.0.0\n"
                     "Diagnostic-Code: unknown; No such domain.\n", "<a@d.example>: 550 5.7.1 no\n")[0]  # fmt: skip
    assert (block.code, block.category, block.weight) == (0, Category.BAD_DOMAIN, Weight.HARD)


def failed(recipient, named, more=""):
    return (f"Final-Recipient: rfc822; {recipient}\nAction: failed\nStatus: 5.1.1\n{more}"
            f"Diagnostic-Code: SMTP; 550 5.1.1 <{named}>: User unknown\n\n")  # fmt: skip


def test_a_block_that_blames_another_recipient_s_refusal_on_this_one_is_void():
    """nullmailer stops at the first refused RCPT and reports all."""
    some = finished(TOP + failed("a@d.example", "a@d.example") + failed("b@d.example", "a@d.example"))
    assert [bool(block.void) for block in some] == [False, True]
    assert [block.weight for block in some] == [Weight.HARD, None]
    assert "a@d.example" in some[1].void


def test_of_several_blocks_one_about_somebody_whom_the_report_does_not_know_is_void():
    some = finished(TOP + failed("a@d.example", "x@d.example") + failed("b@d.example", "b@d.example"))
    assert [bool(block.void) for block in some] == [True, False]


def test_a_forward_is_not_void():
    text = TOP + failed("alias@d.example", "fwd@e.example") + failed("b@d.example", "b@d.example")
    told = "  b@d.example\n    550 gone\n  fwd@e.example\n    (generated from alias@d.example)\n    550 gone\n"
    some = finished(text, told)
    assert [block.void for block in some] == ["", ""]
    assert some[0].aliases == ("fwd@e.example",)
    assert [block.void for block in finished(text, forwards={"fwd@e.example"})] == ["", ""]
    own = failed("alias@d.example", "fwd@e.example", "X-Actual-Recipient: rfc822; fwd@e.example\n")
    assert [block.void for block in finished(TOP + own + failed("b@d.example", "b@d.example"))] == ["", ""]


def test_a_single_block_may_name_what_a_server_behind_it_rewrote():
    block = finished(TOP + failed("a@d.example", "a.internal@corp.example"))[0]
    assert (block.void, block.about, block.weight) == ("", "a.internal@corp.example", Weight.HARD)
    assert finished(TOP + failed("a+news@d.example", "a@d.example"))[0].about == ""


def test_of_several_blocks_one_without_a_reason_counts_for_nobody():
    bare = "Final-Recipient: rfc822; a@d.example\nAction: failed\nStatus: {}\n\n"
    several = TOP + bare + failed("b@d.example", "b@d.example")
    assert finished(several.format("5.1.1"))[0].void
    assert finished(several.format("4.4.7"))[0].weight is Weight.SOFT
    assert finished(several.format("5.1.1\nDiagnostic-Code: SMTP; 550 5.1.1"))[0].void
    assert finished(several.format("5.1.1\nDiagnostic-Code: SMted: User unknown"))[0].void
    assert finished(TOP + bare.format("5.1.1"))[0].weight is Weight.HARD
    assert finished(TOP + bare.format(""))[0].void
    assert finished(TOP + bare.format("5.1.1").rstrip() + "\nDiagnostic-Code: SMT\n")[0].void


def test_a_single_block_about_another_address_of_its_domain_is_void():
    assert "same domain" in finished(TOP + failed("a@d.example", "b@d.example"))[0].void


def test_a_refused_sender_is_not_another_recipient():
    text = TOP + failed("a@d.example", "bounces@ex.example") + failed("b@d.example", "bounces@ex.example")
    assert [block.void for block in finished(text, ours={"bounces@ex.example"})] == ["", ""]


def test_an_address_in_other_spellings_is_the_same():
    octal = failed("δ@d.example", "\\316\\264@d.example") + failed("b@d.example", "b@d.example")
    assert [block.void for block in finished(TOP + octal)] == ["", ""]
    punycode = failed("δοκιμή@d.example", "xn--jxalpdlp@d.example") + failed("b@d.example", "b@d.example")
    assert [block.void for block in finished(TOP + punycode)] == ["", ""]
    folded = failed("Ann@d.example", "ann@D.EXAMPLE") + failed("b@d.example", "b@d.example")
    assert [block.void for block in finished(TOP + folded)] == ["", ""]


def test_failed_with_a_status_of_success_is_void():
    text = TOP + "Final-Recipient: rfc822; a@d.example\nAction: failed\nStatus: 2.0.0\n"
    assert finished(text)[0].void
    taken = finished(text.replace("2.0.0", "4.3.0") + "Diagnostic-Code: smtp; 250 2.0.0 OK\n")[0]
    assert "took the message" in taken.void
    assert not finished(text + "Diagnostic-Code: smtp; 550 5.1.1 gone\n")[0].void


def test_raw_and_latin_octets():
    part = Part(
        "message/delivery-status",
        Fields(b""),
        TOP.encode() + b"Final-Recipient: rfc822; \xe9@d.example\nAction: failed\n",
    )
    assert read_status(part, xtext=False).blocks[0].final == "é@d.example"


def test_reports_are_bounded():
    many = TOP + "".join(f"Final-Recipient: rfc822; a{n}@d.example\nAction: failed\n\n" for n in range(500))
    report = status(many)
    assert (len(report.blocks), report.unread) == (100, 400)


def test_a_block_that_may_have_been_cut_off_is_unread():
    text = (
        TOP + failed("a@d.example", "a@d.example") + "Final-Recipient: rfc822; b@d.example\nAction: failed\nStatus: 5"
    )
    report = read_status(Part("message/delivery-status", Fields(b""), text.encode(), open=True), xtext=False)
    assert [raw.final for raw in report.blocks] == ["a@d.example"]
    assert report.unread == 1


def test_a_status_part_in_disguise():
    assert looks_like_status("\nReporting-MTA: dns; x\nArrival-Date: y\n\nFinal-Recipient: rfc822; a@b\n")
    assert looks_like_status("Final-Recipient: rfc822; a@b\nAction: failed\nStatus: 5.1.1\n")
    assert not looks_like_status("Hello,\n\nStatus: fine\n")
