from __future__ import annotations

from bulkmail.mail import Category
from bulkmail.shaping.codes import ADDRESS_CODES, BASIC, ENHANCED, SUBJECTS


def test_the_codes_are_keyed_by_subject_and_detail():
    assert all(len(detail.split(".")) == 2 for detail in ENHANCED)
    assert all(len(subject) == 1 for subject in SUBJECTS)
    assert all(400 <= code <= 599 for code, _ in BASIC)


def test_only_the_three_listed_policy_codes_speak_of_the_address():
    address = {Category.BAD_MAILBOX, Category.INACTIVE_MAILBOX, Category.BAD_DOMAIN}
    assert {detail for detail, meaning in ENHANCED.items() if detail[0] == "7" and meaning in address} == ADDRESS_CODES
