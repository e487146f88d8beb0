"""`shaping.rules` and `classification`: what is taken, and what is told with its line and column."""

from __future__ import annotations

import pytest

from bulkmail.mail import Divided, Refused, Scope, parse_pattern
from bulkmail.settings import load_settings, never
from bulkmail.settings.automaton import line_for
from bulkmail.settings.rules import CATEGORIES
from bulkmail.shaping import SHIPPED_RULES, Rule, RuleAction


def told(tmp_path, text):
    path = tmp_path / "bulkmail.yaml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(Refused) as refused:
        load_settings(str(path))
    return str(refused.value).replace(str(tmp_path) + "/", "")


def test_one_as_the_documentation_has_it(tmp_path):
    path = tmp_path / "bulkmail.yaml"
    path.write_text(
        "shaping:\n  rules:\n"
        "    - {provider: yahoo, match: '[TSS04]', times: 3, within: 10m, do: {rate: /2, connections: 1}, for: 2h}\n"
        "    - {mx: [.example.com], match: '/slow.{0,9}down/', do: {rest: 30m, chunking: off}}\n"
        "classification:\n"
        "  - {domain: example.org, match: account retired, category: inactive-mailbox}\n"
    )
    path.chmod(0o600)
    settings = load_settings(str(path))
    first, second = settings.shaping.rules
    assert (first.times, first.within, first.lasts) == (3, 600.0, 7200.0)
    assert (first.do.rate, first.do.connections, str(first.do.rate)) == (Divided(0.5), 1, "/2")
    assert (second.times, second.within, second.lasts, second.do.rest) == (1, 3600.0, 3600.0, 1800.0)
    assert settings.classification[0].scope.domains == {"example.org"}


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("{provider: yaho, match: a, do: {rest: 1m}}", "bulkmail.yaml:3:18: shaping.rules[0].provider: can never act"),
        ("{match: /^250/, do: {rest: 1m}}", "bulkmail.yaml:3:15: shaping.rules[0].match: can never match"),
        ("{match: /a^b/, do: {rest: 1m}}", "[0].match: can never match: what is looked at are refusals in one line"),
        ("{match: '/a\\nb/', do: {rest: 1m}}", "shaping.rules[0].match: can never match"),
        ("{match: /^busy/, do: {rest: 1m}}", "shaping.rules[0].match: can never match"),
        ("{match: /(a+)+/, do: {rest: 1m}}", "bulkmail.yaml:3:15: shaping.rules[0].match: may take long"),
        ("{match: a, do: {}}", "bulkmail.yaml:3:22: shaping.rules[0].do: says nothing to do; give one of rate"),
        ("{match: a, do: {rate: /1}}", "shaping.rules[0].do.rate: '/1' must divide by 2"),
        ("{match: a, do: {rate: fast}}", "or a part of the rate in use, such as /2"),
        ("{match: a, do: {connections: 0}}", "must be a whole number from 1 on"),
        ("{match: a, do: {chunking: on}}", "shaping.rules[0].do.chunking: must be off"),
        ("{match: a, do: {stop: campaign}}", "shaping.rules[0].do.stop: needs `provider`"),
        ("{match: a, mx: .a.example, domain: b.example, do: {rest: 1m}}", "a rule has one of provider, mx and domain"),
        ("{match: a}", "`do` is missing"),
    ],
)
def test_what_can_never_act_is_told_where_it_stands(tmp_path, rules, said):
    assert said in told(tmp_path, f"shaping:\n  rules:\n    - {rules}\n")


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("match: busy", "match: server busy", "[1].match: can never act: rule 1 (busy) matches all that it matches"),
        ("match: busy", "provider: yahoo, match: busy", "[1].match: can never act: rule 1"),
        ("match: busy, times: 3", "match: busy, times: 3", "[1].times: can never act: rule 1 has the same words"),
        ("match: busy", "match: /BUSY now/", "[1].match: can never act: rule 1 (busy) matches all that it matches"),
        ("match: /busy|slow/", "match: busy", "[1].match: can never act: rule 1 (/busy|slow/)"),
        ("match: /./", "provider: yahoo, match: busy, times: 9", "[1].match: can never act: rule 1 (/./)"),
        ("match: busy", "match: /busy/, times: 9", "[1].match: can never act: rule 1 (busy)"),
        ("mx: example.com, match: /a/", "mx: mx.example.com, match: /a/", "[1].match: can never act"),
    ],
)
def test_a_rule_in_the_shadow_of_an_earlier_one_is_told(tmp_path, first, second, said):
    do = "do: {rest: 1m}"
    text = f"shaping:\n  rules:\n    - {{{first}, {do}}}\n    - {{{second}, {do}}}\n"
    found = told(tmp_path, text)
    assert said in found
    assert found.startswith("bulkmail.yaml:4:")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("match: server busy", "match: busy"),
        ("match: 100 messages", "match: '/^452 .{0,20}messages/'"),
        ("provider: yahoo, match: /./", "match: busy"),
        ("match: busy, times: 3", "match: busy, times: 9"),
        ("provider: yahoo, match: busy", "match: busy"),
        ("provider: yahoo, match: busy", "provider: [yahoo, apple], match: busy"),
    ],
)
def test_what_can_act_is_taken(tmp_path, first, second):
    path = tmp_path / "bulkmail.yaml"
    do = "do: {rest: 1m}"
    path.write_text(f"shaping:\n  rules:\n    - {{{first}, {do}}}\n    - {{{second}, {do}}}\n")
    path.chmod(0o600)
    assert len(load_settings(str(path)).shaping.rules) == 2


def test_none_of_the_shipped_rules_is_in_the_shadow_of_another():
    assert list(never(SHIPPED_RULES)) == []
    assert all(line_for(rule.pattern) for rule in SHIPPED_RULES)


def test_many_rules_are_compared_in_few_steps():
    rules = [Rule("", Scope(), parse_pattern(f"/a.{{0,{n}}}b/"), RuleAction()) for n in range(60, 0, -1)]
    found = [number for number, _, _ in never(rules)]
    assert 1 <= len(found) < len(rules) - 1, "of the others nothing is said: there are no steps left"


def test_a_judgement_in_the_shadow_is_told_and_an_unknown_category(tmp_path):
    text = "classification:\n  - {match: busy, category: quota}\n  - {match: busy, category: policy}\n"
    assert "bulkmail.yaml:3:13: classification[1].match: can never act" in told(tmp_path, text)
    text = "classification:\n  - {match: /^2/, category: quota}\n"
    assert "bulkmail.yaml:2:13: classification[0].match: can never match" in told(tmp_path, text)
    assert "must be" in told(tmp_path, "classification:\n  - {match: busy, category: nothing}\n")
    assert "there is no provider 'x'" in told(
        tmp_path, "classification:\n  - {provider: x, match: busy, category: quota}\n"
    )
    assert "rate-limited" in str(CATEGORIES)
