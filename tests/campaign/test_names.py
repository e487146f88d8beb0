from __future__ import annotations

import pytest

from bulkmail.campaign.names import ADDRESS_NAMES, DOMAIN_NAMES, USUAL_NAMES, plain_name


@pytest.mark.parametrize(
    "name", ["E-Mail", " e_mail ", "EMAIL:", "e\u2013mail*", "\ufeffEmail", "\u00c9-mail", "e\u00ad-mail"]
)
def test_case_accents_and_what_parts_words_make_no_difference(name):
    assert plain_name(name) == "email"


def test_a_dot_and_letters_make_one():
    assert plain_name("e.mail") not in ADDRESS_NAMES
    assert plain_name("Mailing") not in ADDRESS_NAMES
    assert plain_name("") not in ADDRESS_NAMES | DOMAIN_NAMES


@pytest.mark.parametrize("name", ["E-Mail-Typ", "E-mail 2 Address", "From", "Sender email", "Email status", "Username"])
def test_other_columns_are_not_taken(name):
    assert plain_name(name) not in ADDRESS_NAMES


def test_a_name_that_says_more_is_known_and_not_usual():
    assert plain_name("Primary Email") in ADDRESS_NAMES - USUAL_NAMES
    assert plain_name("E-Mail-Adresse") in USUAL_NAMES
