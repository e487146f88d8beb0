"""``bulkmail rules``: what the rules of `shaping.rules`, and the shipped ones, would have done with an old report."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from typing import Any

from bulkmail.campaign import attempts_in
from bulkmail.commands.terminal import Commands, add_json, add_settings, say, say_json, utc
from bulkmail.exit_status import DONE
from bulkmail.mail import count_of, format_duration
from bulkmail.routing import RELAY
from bulkmail.settings import load_settings
from bulkmail.shaping import SHIPPED_RULES, RuleBook, RuleCounter, own_rules, provider_of, provider_table


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    rules = commands.add_parser("rules", help="what is done about certain words in replies: list, try")
    actions = rules.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show the rules in their order, those of the settings first")
    trying = actions.add_parser("try", help="say which would have acted on an old report's replies, and when")
    trying.add_argument("report", metavar="REPORT", help="a campaign's folder, its report, or an attempts.csv")
    for one, run in ((listing, _list), (trying, _try)):
        add_settings(one)
        add_json(one)
        one.set_defaults(run=run)


def _list(given: argparse.Namespace) -> int:
    settings = load_settings(given.settings, os.getcwd())
    rules = [*own_rules(settings.shaping.rules), *SHIPPED_RULES]
    shown: list[dict[str, Any]] = [
        {
            "rule": rule.name,
            "scope": ", ".join([*sorted(rule.scope.providers), *rule.scope.mx, *sorted(rule.scope.domains)]),
            "match": rule.pattern.written,
            "times": rule.times,
            "within": rule.within,
            "in_a_row": rule.in_a_row,
            "do": rule.action.words,
        }
        for rule in rules
    ]
    if given.json:
        say_json(shown)
        return DONE
    for one in shown:
        often = (
            ""
            if one["times"] == 1
            else f" {one['times']} times{' in a row' * one['in_a_row']} in {format_duration(one['within'])}"
        )
        say(f"{one['scope'] or 'everybody'}: {one['match']}{often}: {one['do']}   [{one['rule']}]")
    return DONE


def _try(given: argparse.Namespace) -> int:
    settings = load_settings(given.settings, os.getcwd())
    table = provider_table(settings.shaping.overrides)
    counter = RuleCounter(RuleBook([*own_rules(settings.shaping.rules), *SHIPPED_RULES]))
    acted: list[dict[str, Any]] = []
    refused, matched = 0, Counter[str]()
    mended: set[str] = set()  # what has accepted something since it last refused
    for one in sorted(attempts_in(given.report), key=lambda one: one.at):
        provider = RELAY if settings.relay is not None else provider_of([one.host], table)
        key = provider or one.host
        if one.result == "delivered":
            mended.add(key)
        if one.code < 400 or one.result not in ("deferred", "failed", "unknown"):
            continue
        refused += 1
        domain = one.email.rpartition("@")[2].lower()
        for number in counter.book.matching(provider, one.host, domain, one.code, one.reply):
            matched[counter.book.rules[number].name] += 1
        about = {"provider": provider, "host": one.host, "domain": domain}
        for rule in counter.heard(key, one.at, **about, code=one.code, text=one.reply, mended=key in mended):
            said = {"at": utc(one.at, "seconds"), "line": one.line, "rule": rule.name, "provider": provider}
            acted.append({**said, "host": one.host, "do": rule.action.words, "reply": f"{one.code} {one.reply}"[:300]})
        mended.discard(key)
    if given.json:
        say_json({"refusals": refused, "acted": acted, "matched": dict(matched)})
        return DONE
    for row in acted:
        say(f"{row['at']}  {row['provider'] or row['host']}: {row['do']}   [{row['rule']}]")
        say(f"    line {row['line']}: {row['reply'][:160]}")
    for name, count in matched.most_common():
        say(f"{count:>8}  {name}")
    acts = count_of(len(acted), "time")
    say(f"{count_of(refused, 'refusal')}; {sum(matched.values()):,} matched a rule, which acted {acts}")
    return DONE
