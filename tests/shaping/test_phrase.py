from __future__ import annotations

from bulkmail.mail import Category
from bulkmail.shaping.phrase import plain_words, say


def test_a_phrase_is_any_of_its_patterns():
    phrase = say(Category.QUOTA, r"mailbox full", r"over \w+ limit", signal="rate", transient=True)
    assert phrase.pattern.search("the mailbox full of it")
    assert phrase.pattern.search("over its limit")
    assert not phrase.pattern.search("over the size limit")
    assert (phrase.category, phrase.signal, phrase.transient) == (Category.QUOTA, "rate", True)


def test_words_are_plain():
    assert plain_words("  Boîte\tPLEINE  ") == "boite pleine"
    assert plain_words("<spam@example.com>: no") == "@ no"
    assert plain_words("Recipient address rejected: full") == "rcpt: full"
    assert plain_words("Recipient address rejected: ") == "recipient address rejected:"
