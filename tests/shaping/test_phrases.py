from __future__ import annotations

import re
from pathlib import Path

import pytest

from bulkmail.mail import Category, Fate, Outcome, Reply, Stage
from bulkmail.shaping import classify
from bulkmail.shaping.phrase import plain_words
from bulkmail.shaping.phrases import PLAIN, VAGUE


def corpus():
    for line in Path(__file__).with_name("replies.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            category, lasting, signal, stage, said = line.split(maxsplit=4)
            code, _, text = said.partition(" ")
            yield pytest.param(
                Stage(stage), Reply(int(code), (text.strip(),)), (category, lasting, signal), id=f"{stage} {said[:60]}"
            )


CORPUS = list(corpus())


@pytest.mark.parametrize(("stage", "reply", "expected"), CORPUS)
def test_replies_of_the_field(stage, reply, expected):
    fate = Fate.LOST if stage is Stage.GREETING else Fate.REFUSED
    verdict = classify(Outcome(fate, stage, reply))
    lasting = "permanent" if verdict.permanent else "transient"
    assert (verdict.category, lasting, verdict.signal or "-") == expected


def of_providers():
    for number, line in enumerate(Path(__file__).with_name("provider_replies.txt").read_text("utf-8").splitlines(), 1):
        if line and not line.startswith("#"):
            provider, category, lasting, signal, stage, said = line.split(maxsplit=5)
            reply = Reply(int(said[:3]), (said[4:],))
            yield pytest.param(Stage(stage), reply, (category, lasting, signal), id=f"{provider} line {number}")


OF_PROVIDERS = list(of_providers())


@pytest.mark.parametrize(("stage", "reply", "expected"), OF_PROVIDERS)
def test_replies_of_large_providers(stage, reply, expected):
    test_replies_of_the_field(stage, reply, expected)


def test_there_are_many_of_them_of_many_kinds():
    assert len(OF_PROVIDERS) >= 300
    assert len({case.values[1] for case in OF_PROVIDERS}) == len(OF_PROVIDERS)
    assert len({case.values[2][0] for case in OF_PROVIDERS}) >= 15


def test_every_plain_phrase_is_reached_by_a_reply_of_the_corpus():
    texts = [plain_words(case.values[1].text) for case in (*CORPUS, *OF_PROVIDERS)]
    for phrase in PLAIN:
        assert any(phrase.pattern.search(text) for text in texts), phrase.pattern.pattern


def test_the_patterns_are_written_in_lower_case():
    for phrase in (*PLAIN, *VAGUE):
        words = re.sub(r"\\[A-Z]", "", phrase.pattern.pattern)
        assert words == words.lower()


def test_the_words_for_the_lane_are_known():
    assert {phrase.signal for phrase in (*PLAIN, *VAGUE)} == {"", "rate", "connections", "greylist"}
    assert {phrase.category for phrase in PLAIN} <= set(Category)
