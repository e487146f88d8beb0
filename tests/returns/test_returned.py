from __future__ import annotations

import dataclasses

from bulkmail.mail import Status
from bulkmail.returns import Action, Block, Candidate, Copy, Kind, Return, Source, Weight

TOKEN, OTHER = "a" * 26, "b" * 26
OWN_PATH = (Candidate(TOKEN, Source.ENVELOPE),)
SHARED = (Candidate(TOKEN, Source.MESSAGE_ID),)


def failed(recipient, original="", **more):
    return Block(Action.FAILED, original, recipient, weight=more.pop("weight", Weight.HARD), **more)


def given(*blocks, candidates=OWN_PATH, **more):
    return Return(Kind.FAILED, "a test says so", blocks=blocks, candidates=candidates, **more)


def test_the_original_recipient_is_the_one_who_was_mailed():
    assert failed("fwd@e.example", "ann@d.example").recipient == "ann@d.example"
    assert failed("ann@d.example").recipient == "ann@d.example"


def test_the_status_of_the_row_follows_the_weight():
    assert failed("a@d.example").row_status is Status.BOUNCED
    assert failed("a@d.example", weight=Weight.BLOCKED).row_status is Status.BLOCKED
    assert failed("a@d.example", weight=Weight.SOFT).row_status is Status.BLOCKED
    assert failed("a@d.example", void="it is about another one").row_status is None
    assert Block(Action.DELAYED, final="a@d.example").row_status is None


def test_the_token_is_the_surest_candidate():
    assert given(candidates=(*OWN_PATH, *SHARED)).token == TOKEN
    assert given(candidates=()).token == ""


def test_two_tokens_in_sure_places_make_nothing_certain():
    torn = given(failed("a@d.example"), candidates=(*OWN_PATH, Candidate(OTHER, Source.MESSAGE_ID)))
    assert torn.contradicted
    assert torn.token == ""
    assert torn.block_for("b@d.example") is None
    hinted = given(candidates=(*OWN_PATH, Candidate(OTHER, Source.REFERENCES)))
    assert hinted.token == TOKEN


TOKENS = {TOKEN: (1, 7), OTHER: (1, 8), "c" * 26: (1, 0), "d" * 26: (2, 0)}


def attributed(*some):
    return given(candidates=tuple(Candidate(one * 26, source) for one, source in some)).attributed(TOKENS.get)


def test_what_only_looks_like_a_token_contradicts_nothing():
    assert attributed(("a", Source.ENVELOPE), ("x", Source.MESSAGE_ID)) == TOKEN
    assert attributed(("x", Source.ENVELOPE), ("a", Source.MESSAGE_ID)) == TOKEN
    assert attributed(("x", Source.ENVELOPE)) == ""
    assert attributed() == ""
    assert attributed(("a", Source.ENVELOPE), ("b", Source.MESSAGE_ID)) == ""


def test_a_shared_return_path_gives_way_to_a_recipient_of_its_campaign():
    assert attributed(("c", Source.ENVELOPE), ("a", Source.MESSAGE_ID)) == TOKEN
    assert attributed(("c", Source.ENVELOPE)) == "c" * 26
    assert attributed(("d", Source.ENVELOPE), ("a", Source.MESSAGE_ID)) == ""
    assert attributed(("c", Source.ENVELOPE), ("d", Source.MESSAGE_ID)) == ""


def test_hints_count_where_nothing_is_sure():
    assert attributed(("a", Source.ENVELOPE), ("b", Source.REFERENCES)) == TOKEN
    assert attributed(("x", Source.ENVELOPE), ("b", Source.REFERENCES)) == OTHER
    assert attributed(("a", Source.TO), ("b", Source.REFERENCES)) == ""


def test_a_shared_return_path_is_nobody_s_own():
    shared = (Candidate("c" * 26, Source.ENVELOPE), Candidate(TOKEN, Source.MESSAGE_ID))
    report = given(failed("fwd@e.example"), candidates=shared, by_target=True)
    assert report.attributed(TOKENS.get) == TOKEN
    assert report.block_for("alias@d.example", TOKEN) is None
    named = given(failed("alias@d.example"), candidates=shared)
    assert named.block_for("alias@d.example", TOKEN) is named.blocks[0]


def test_a_block_is_found_by_the_address_in_any_spelling():
    report = given(failed("Ann@D.example"), failed("bob@d.example"), candidates=SHARED)
    assert report.block_for("ann@d.EXAMPLE.") is report.blocks[0]
    assert report.block_for("ann@d.example") is report.blocks[0]
    assert report.block_for("BOB@d.example") is report.blocks[1]
    assert report.block_for("eve@d.example") is None
    assert report.block_for("") is None


def test_a_forward_s_target_is_taken_for_nobody_else():
    report = given(failed("fwd@e.example", "alias@d.example", aliases=("fwd2@e.example",)), candidates=SHARED)
    assert report.block_for("alias@d.example") is report.blocks[0]
    assert report.block_for("fwd@e.example") is None
    assert report.block_for("fwd2@e.example") is None


def test_a_single_block_at_the_recipient_s_own_return_path_is_about_the_recipient():
    """OpenSMTPD and qmail name only the target of a forward."""
    block = failed("fwd@e.example")
    report = given(block, candidates=(*OWN_PATH, *SHARED), by_target=True)
    assert report.block_for("alias@d.example") is block
    for other in (
        dataclasses.replace(report, by_target=False),
        dataclasses.replace(report, candidates=OWN_PATH),
        dataclasses.replace(report, candidates=SHARED),
        dataclasses.replace(report, unread=1),
        dataclasses.replace(report, blocks=(block, failed("x@e.example"))),
        dataclasses.replace(report, blocks=(dataclasses.replace(block, about="x@e.example"),)),
    ):
        assert other.block_for("alias@d.example") is None


def test_void_blocks_count_for_nobody():
    report = given(failed("ann@d.example", void="it is about bob"), failed("bob@d.example"))
    assert report.block_for("ann@d.example") is None
    assert report.block_for("bob@d.example") is report.blocks[1]
    assert given(failed("ann@d.example", void="it is about bob")).block_for("eve@d.example") is None


def test_two_blocks_of_one_address_must_agree():
    report = given(failed("ann@d.example"), failed("ann@d.example"))
    assert report.block_for("ann@d.example") is report.blocks[0]
    torn = given(failed("ann@d.example"), failed("ann@d.example", weight=Weight.SOFT))
    assert torn.block_for("ann@d.example") is None


def test_a_stray_report_encloses_a_message_without_a_mark_of_ours():
    assert given(candidates=(), copy=Copy(message_id="x@spam.example")).stray
    assert not given(candidates=()).stray
    assert not given(copy=Copy(message_id="x@spam.example")).stray
