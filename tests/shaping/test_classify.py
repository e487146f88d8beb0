from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Category, Fate, Outcome, Reply, Stage, Status
from bulkmail.shaping import Verdict, classify, named_wait, status_of
from bulkmail.shaping.classify import _judge, _start_of
from bulkmail.shaping.phrase import plain_words


def refused(code, text="", stage=Stage.RCPT, fate=Fate.REFUSED):
    return classify(Outcome(fate, stage, Reply(code, tuple(text.split("\n")))))


def test_accepted_needs_no_explanation():
    assert classify(Outcome(Fate.ACCEPTED, Stage.DOT, Reply(250, ("ok",)))) == Verdict(None, permanent=False)


def test_what_we_know_ourselves_is_taken_as_it_is():
    known = Outcome(
        Fate.LOST, Stage.DNS, category=Category.BAD_DOMAIN, permanent=True, reply=Reply(450, ("greylisted",))
    )
    assert classify(known) == Verdict(Category.BAD_DOMAIN, permanent=True)
    assert classify(Outcome(Fate.REFUSED, Stage.RCPT, category=Category.TLS)) == Verdict(Category.TLS, permanent=False)


def test_a_missing_final_reply_is_no_answer():
    assert classify(Outcome(Fate.UNKNOWN, Stage.DOT)) == Verdict(Category.NO_ANSWER, permanent=False)


@pytest.mark.parametrize(
    ("stage", "note", "category"),
    [
        (Stage.DNS, "no nameserver answered", Category.DNS),
        (Stage.DNS, "timed out", Category.DNS),
        (Stage.CONNECT, "connection refused", Category.CONNECTION),
        (Stage.CONNECT, "connection timed out after 30 s", Category.NO_ANSWER),
        (Stage.GREETING, "closed", Category.CONNECTION),
        (Stage.GREETING, "timed out after 60 s", Category.NO_ANSWER),
        (Stage.EHLO, "closed", Category.CONNECTION),
        (Stage.STARTTLS, "handshake failed", Category.TLS),
        (Stage.STARTTLS, "timed out after 30 s", Category.TLS),
        (Stage.AUTH, "closed", Category.AUTHENTICATION),
        (Stage.MAIL, "closed", Category.CONNECTION),
        (Stage.DATA, "timed out after 120 s", Category.NO_ANSWER),
    ],
)
def test_a_lost_conversation_is_named_by_its_stage(stage, note, category):
    assert classify(Outcome(Fate.LOST, stage, note=note)) == Verdict(category, permanent=False)


def test_a_lost_conversation_is_never_permanent_whatever_was_said():
    assert refused(554, "no thanks", Stage.GREETING, Fate.LOST) == Verdict(Category.CONNECTION, permanent=False)
    assert refused(554, "5.7.1 banned", Stage.GREETING, Fate.LOST) == Verdict(
        Category.SPAM_REPUTATION, permanent=False, signal="rate"
    )
    for code, words in ((454, ""), (454, "4.7.0 TLS not available"), (501, "5.5.4 Syntax error")):
        assert refused(code, words, Stage.STARTTLS, Fate.LOST) == Verdict(Category.TLS, permanent=False)
    assert refused(220, "hello", Stage.EHLO, Fate.LOST) == Verdict(Category.PROTOCOL, permanent=False)


def test_an_untried_message_may_still_carry_a_signal():
    assert refused(421, "4.7.0 too many connections", Stage.MAIL, Fate.UNTRIED).signal == "connections"
    assert classify(Outcome(Fate.UNTRIED, Stage.MAIL)) == Verdict(Category.CONNECTION, permanent=False)


@pytest.mark.parametrize("code", [0, 99, 150, 250, 299, 354, 399, 600, 850, 999])
@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DOT])
def test_a_nonsense_code_is_a_protocol_error_and_no_bounce(code, stage):
    assert refused(code, "5.1.1 user unknown", stage) == Verdict(Category.PROTOCOL, permanent=False)


@given(st.sampled_from([*range(400, 500), 421]), st.text(max_size=80), st.sampled_from(list(Stage)))
def test_a_4xx_is_never_permanent(code, text, stage):
    verdict = refused(code, text, stage)
    assert not verdict.permanent
    assert verdict.category is not None


@given(
    st.integers(500, 599),
    st.sampled_from(["5.7.1", "5.7.0", "5.7.26", "5.7.606", "5.7.99"]),
    st.sampled_from(
        ["user unknown", "mailbox disabled", "no such user", "domain not found", "account is suspended", ""]
    ),
    st.sampled_from([Stage.RCPT, Stage.DOT]),
)
def test_5_7_x_is_never_a_bad_address(code, enhanced, words, stage):
    verdict = refused(code, f"{enhanced} {words}", stage)
    assert status_of(verdict) is not Status.BOUNCED


@pytest.mark.parametrize(
    ("enhanced", "category"),
    [("5.7.13", Category.INACTIVE_MAILBOX), ("5.7.17", Category.BAD_MAILBOX), ("5.7.18", Category.BAD_DOMAIN)],
)
def test_three_5_7_codes_do_speak_of_the_address(enhanced, category):
    assert refused(550, f"{enhanced} gone") == Verdict(category, permanent=True)


@given(st.text(max_size=300), st.integers(0, 999), st.sampled_from(list(Stage)), st.sampled_from(list(Fate)))
def test_any_reply_gets_a_verdict(text, code, stage, fate):
    verdict = refused(code, text, stage, fate)
    assert verdict.signal in ("", "rate", "connections", "greylist")
    assert not (verdict.signal and verdict.permanent)
    assert verdict.wait is None or 1 <= verdict.wait <= 4 * 3600


@pytest.mark.parametrize(
    "words",
    ["too many connections", "try again later", "rate limit exceeded", "greylisted", "please try again in 5 minutes"],
)
def test_a_5xx_that_means_later_is_transient(words):
    assert not refused(554, f"5.7.1 {words}").permanent
    assert not refused(550, words).permanent


def test_too_many_recipients_is_transient_even_as_5xx():
    assert refused(550, "5.5.3 no") == Verdict(Category.RATE_LIMITED, permanent=False)
    assert refused(452, "no") == Verdict(Category.RATE_LIMITED, permanent=False)
    assert refused(452, "no", Stage.MAIL) == Verdict(Category.QUOTA, permanent=False)


def test_words_beat_the_enhanced_code_and_that_beats_the_bare_one():
    assert refused(550, "5.1.1 mailbox is full").category is Category.QUOTA
    assert refused(550, "5.2.2 sorry").category is Category.QUOTA
    assert refused(552, "5.1.1 rejected").category is Category.BAD_MAILBOX
    assert refused(552, "5.2.2 sorry") == Verdict(Category.QUOTA, permanent=True)
    assert refused(552, "mailbox full") == Verdict(Category.QUOTA, permanent=False)
    assert refused(552, "sorry") == Verdict(Category.RATE_LIMITED, permanent=False)
    assert refused(552, "sorry", Stage.DOT).category is Category.TOO_LARGE


def test_vague_words_count_only_where_the_enhanced_code_says_nothing():
    assert refused(550, "5.1.1 rejected").category is Category.BAD_MAILBOX
    assert refused(550, "5.0.0 rejected").category is Category.POLICY
    assert refused(550, "rejected").category is Category.POLICY


def test_the_three_digit_code_wins_over_an_enhanced_one_of_another_class():
    assert refused(550, "4.2.2 hm") == Verdict(Category.POLICY, permanent=True)


def test_at_mail_nothing_is_about_the_recipient():
    assert refused(550, "5.1.1 unknown user", Stage.MAIL) == Verdict(Category.INVALID_SENDER, permanent=True)


def test_all_lines_of_a_reply_are_read():
    assert refused(550, "5.7.1 Sorry\nyour address is in\nspamhaus").category is Category.SPAM_REPUTATION


@pytest.mark.parametrize(
    ("code", "text", "wait"),
    [
        (450, "4.7.1 Greylisted for 300 seconds", 300.0),
        (451, "4.7.1 try again in 5 minutes", 300.0),
        (451, "greylisting in action, come back in 00:04:30", 270.0),
        (451, "4.7.1 please wait", None),
        (450, "greylisted", None),
        (450, "Greylisted, 0 seconds to go", 1.0),
        (450, "Greylisted, retry in 90 hours", 14400.0),
        (450, "4.7.1 Deferred, retry after 60s", 60.0),
    ],
)
def test_a_greylisting_reply_may_name_its_time(code, text, wait):
    if text == "4.7.1 please wait":
        assert refused(code, text) == Verdict(Category.POLICY, permanent=False)
    else:
        assert refused(code, text) == Verdict(Category.GREYLISTED, permanent=False, signal="greylist", wait=wait)


def test_only_greylisting_names_a_time():
    assert refused(452, "4.2.2 mailbox full, try in 300 seconds").wait is None


def test_named_wait_reads_units():
    assert [named_wait(text) for text in ("in 2 h", "10 min", "7 secs", "1 hour", "soon")] == [7200, 600, 7, 3600, None]


@pytest.mark.parametrize("category", list(Category))
def test_bounced_is_only_the_address_itself(category):
    mine = category in (Category.BAD_MAILBOX, Category.INACTIVE_MAILBOX, Category.BAD_DOMAIN)
    assert status_of(Verdict(category, permanent=True)) is (Status.BOUNCED if mine else Status.BLOCKED)
    assert status_of(Verdict(category, permanent=False)) is Status.DEFERRED


def test_only_the_first_300_characters_of_a_reply_are_judged():
    padding = "one more word " * 30
    assert refused(550, padding[:280] + " no such user").category is Category.BAD_MAILBOX
    assert refused(550, padding[:300] + " no such user").category is Category.POLICY
    assert refused(550, "\n".join(["one more word"] * 30) + "\nno such user").category is Category.POLICY


HOSTILE = ["a", "user ", "too many a ", "recipient user account ", "address x ", "x@", "your ip ", "\u017f", "not a "]


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_long_hostile_reply_costs_no_more_than_its_first_characters(unit):
    """The work is counted, not timed: as many characters are looked at as of a reply of 300."""
    _judge.cache_clear()
    reply = Reply(550, tuple(unit * 200 for _ in range(200)))
    assert len(plain_words(_start_of(reply.lines))) <= 300 * 4, "NFKD makes several of one"
    classify(Outcome(Fate.REFUSED, Stage.RCPT, reply))
    classify(Outcome(Fate.REFUSED, Stage.RCPT, reply))
    assert _judge.cache_info()[:2] == (1, 1)


def test_a_verdict_that_was_made_once_is_remembered_and_the_memory_is_bounded():
    before = _judge.cache_info()
    for number in range(20):
        refused(550, f"5.1.1 <row{number}@example.com>: no such user, sorry")
    after = _judge.cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (19, 1), "the address makes no difference"
    assert after.maxsize is not None
    assert after.maxsize <= 1000


@given(
    st.sampled_from([550, 553, 554]),
    st.lists(st.sampled_from(["request", "denied", "see", "the", "manual", "code", "4711", "sorry", "not", "now"])),
)
def test_unknown_words_at_rcpt_without_an_enhanced_code_never_blame_the_address(code, words):
    assert status_of(refused(code, " ".join(words))) is Status.BLOCKED


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("sorry (#5.1.1)", Category.BAD_MAILBOX),
        ("#5.1.0 Address rejected.", Category.BAD_MAILBOX),
        ("[5.2.1] sorry", Category.INACTIVE_MAILBOX),
        ("the next host said: 550 5.1.1 sorry", Category.BAD_MAILBOX),
        ("no such user (#5.7.1)", Category.POLICY),
        ("(#4.1.1) another class", Category.POLICY),
        ("running 5.1.1.7", Category.POLICY),
        ("sorry [5.1.1.7]", Category.POLICY),
    ],
)
def test_an_enhanced_code_inside_of_the_text_counts(text, category):
    assert refused(550, text).category is category


def test_555_to_mail_is_about_a_parameter_and_not_for_ever():
    assert refused(555, "5.5.4 Unsupported option: SIZE", Stage.MAIL) == Verdict(Category.PROTOCOL, permanent=False)
    assert refused(555, "5.5.4 Unsupported option", Stage.RCPT).permanent
