from __future__ import annotations

import pytest

from bulkmail.mail import Category, Status
from bulkmail.report import CATEGORY_WORDS, STATUS_WORDS, category_words, provider_name, state_words, status_words


@pytest.mark.parametrize("status", Status)
def test_every_status_has_words(status):
    words = STATUS_WORDS[status]
    assert words.title
    assert words.sentence.endswith(".")
    assert not words.remedy or words.remedy.endswith(".")
    assert status_words(str(status)) is words


@pytest.mark.parametrize("category", Category)
def test_every_category_has_words_and_a_remedy(category):
    words = CATEGORY_WORDS[category]
    assert words.title
    assert words.sentence.endswith(".")
    assert words.remedy.endswith(".")
    assert category_words(str(category)) is words


def test_no_two_say_the_same():
    for table in (STATUS_WORDS, CATEGORY_WORDS):
        assert len({words.title for words in table.values()}) == len(table)
        assert len({words.sentence for words in table.values()}) == len(table)


def test_the_blocked_are_never_to_be_taken_off_the_list():
    assert "Keep these people" in STATUS_WORDS[Status.BLOCKED].remedy


def test_a_word_of_tomorrow_is_shown_as_it_is():
    assert status_words("thawed").title == "thawed"
    assert category_words("weather").title == "weather"
    assert category_words("weather").remedy
    assert state_words("dreaming") == "dreaming"
    assert provider_name("acme") == "acme"


def test_people_know_providers_by_other_names():
    assert provider_name("google") == "Google (Gmail and Workspace)"
    assert provider_name("") == "All other domains"
