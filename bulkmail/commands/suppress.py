"""``bulkmail suppress``: who is not mailed any more, kept in the spool."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable, Iterator
from typing import Any

from bulkmail.campaign import check_campaign_name, keys_of
from bulkmail.commands.suppress_files import export_to, import_from
from bulkmail.commands.suppressions import changing, pages
from bulkmail.commands.terminal import Commands, add_json, add_settings, say, say_json
from bulkmail.control import plain_suppression
from bulkmail.exit_status import DONE, REFUSED
from bulkmail.mail import AddressError, BulkmailError
from bulkmail.settings import load_settings
from bulkmail.spool import EVERYTHING, REASONS, Suppression, campaign_scope, find_reader, list_scope


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    suppress = commands.add_parser("suppress", help="who is not mailed any more: add, remove, look up, import, export")
    actions = suppress.add_subparsers(required=True, metavar="ACTION")
    _parser(actions, "add", "mail some addresses no more, from now on", _add, addresses="+").add_argument(
        "--source", metavar="TEXT", default="the command line", help="where that was learnt"
    )
    _parser(actions, "remove", "mail them again", _remove, addresses="+")
    _parser(actions, "check", "say why an address is not mailed, and since when", _check, addresses="?", narrow=False)
    _parser(actions, "forget", "keep only the hash of an address, which stays suppressed", _forget, "+", narrow=False)
    listing = _parser(actions, "list", "show all, or those of one scope or reason", _list)
    listing.add_argument("--count", action="store_true", help="only how many, by scope and reason")
    importing = _parser(actions, "import", "add all of a list, or of an export", _import)
    importing.add_argument("file", metavar="FILE", help="addresses or domains, one a line, or a CSV")
    importing.add_argument("--encoding", help="of the file, where it is not UTF-8")
    exporting = _parser(actions, "export", "write a CSV, of which `import` takes all that has an address", _export)
    exporting.add_argument("file", metavar="FILE", help="where it goes; it is replaced")


def _parser(
    actions: Any, name: str, words: str, run: Any, addresses: str = "", *, narrow: bool = True
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=words)
    if addresses == "?":
        parser.add_argument("address", metavar="ADDRESS", help="an address, or a domain")
    elif addresses:
        parser.add_argument("addresses", metavar="ADDRESS", nargs=addresses, help="addresses, or domains")
    if narrow:
        scope = parser.add_mutually_exclusive_group()
        scope.add_argument("--list", metavar="NAME", dest="of_list", help="only for the campaigns of this list")
        scope.add_argument("--campaign", metavar="NAME", help="only for this campaign")
        scope.add_argument("--everything", action="store_true", help="only for everything: for every campaign")
        parser.add_argument("--reason", choices=[str(one) for one in REASONS], help="why")
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=run)
    return parser


def _add(given: argparse.Namespace) -> int:
    settings, now = load_settings(given.settings, os.getcwd()), time.time()
    scope, reason = _scope(given) or EVERYTHING, given.reason or "listed"
    entries = [Suppression(key, scope, reason, given.source, now) for key in _keys(given.addresses)]
    with changing(settings) as spool:
        return _changed(given, spool.suppress(entries), "suppressed", "all of it was suppressed already")


def _remove(given: argparse.Namespace) -> int:
    settings = load_settings(given.settings, os.getcwd())
    keys = _keys(given.addresses)
    with changing(settings) as spool:
        return _changed(
            given, spool.unsuppress(keys, _scope(given), given.reason or ""), "removed", "there is no such suppression"
        )


def _forget(given: argparse.Namespace) -> int:
    settings = load_settings(given.settings, os.getcwd())
    keys = _keys(given.addresses)
    with changing(settings) as spool:
        return _changed(
            given, spool.forget_addresses(keys), "kept as a hash only", "no suppression has such an address"
        )


def _check(given: argparse.Namespace) -> int:
    """Print why the address is suppressed; return 0 where it is for anything, 1 where it is not."""
    settings = load_settings(given.settings, os.getcwd())
    (key, *others) = _keys([given.address])
    reader = find_reader(settings.spool)
    found = [] if reader is None else [one for each in (key, *others) for one in reader.suppressions_of(each)]
    if reader is not None:
        reader.close()
    if given.json:
        say_json([plain_suppression(entry) for entry in found])
    elif not found:
        say(f"{given.address} is not suppressed")
    for entry in () if given.json else found:
        say(f"{given.address}: {entry.words}")
    return DONE if found else REFUSED


def _list(given: argparse.Namespace) -> int:
    settings = load_settings(given.settings, os.getcwd())
    scope, reason = _scope(given), given.reason or ""
    if given.count:
        return _count(given, settings.spool, scope, reason)
    for page in pages(settings.spool, scope, reason):
        for entry in page:
            say(json.dumps(plain_suppression(entry)) if given.json else _line(entry))
    return DONE


def _count(given: argparse.Namespace, spool: str, scope: str, reason: str) -> int:
    reader = find_reader(spool)
    counted = [] if reader is None else reader.count_suppressions()
    if reader is not None:
        reader.close()
    found = [one for one in counted if scope in ("", one[0]) and reason in ("", one[1])]
    if given.json:
        say_json([dict(zip(("scope", "reason", "entries", "with_address"), one, strict=True)) for one in found])
        return DONE
    for one in found:
        say(f"{one[0]}, {one[1]}: {one[2]:,}" + (f", {one[2] - one[3]:,} without address" if one[3] < one[2] else ""))
    say(f"{sum(one[2] for one in found):,} in all")
    return DONE


def _import(given: argparse.Namespace) -> int:
    settings = load_settings(given.settings, os.getcwd())
    return import_from(
        settings,
        given.file,
        given.encoding,
        usual=Suppression(None, _scope(given) or EVERYTHING, given.reason or "listed", "", time.time()),
        json=given.json,
    )


def _export(given: argparse.Namespace) -> int:
    settings = load_settings(given.settings, os.getcwd())
    count, nameless = export_to(given.file, pages(settings.spool, _scope(given), given.reason or ""))
    if given.json:
        say_json({"written": count, "without_address": nameless, "file": given.file})
        return DONE
    say(f"{given.file} has {count:,} {'suppression' if count == 1 else 'suppressions'}")
    if nameless:
        say(f"{nameless:,} of them only as a hash, which `import` cannot take; `bulkmail spool copy` takes them along")
    return DONE


def _changed(given: argparse.Namespace, changed: int, done: str, otherwise: str) -> int:
    if given.json:
        say_json({"changed": changed})
    else:
        say(f"{changed:,} {done}" if changed else f"nothing was changed: {otherwise}")
    return DONE


def _scope(given: argparse.Namespace) -> str:
    """Return the scope that is asked for, "" where none is. Raises BulkmailError."""
    if given.everything:
        return EVERYTHING
    name = given.of_list or given.campaign
    if not name:
        return ""
    try:
        check_campaign_name(name)
    except ValueError as error:
        raise BulkmailError(f"{name!r}: a name {error}") from None
    return list_scope(name) if given.of_list else campaign_scope(name)


def _keys(addresses: Iterable[str]) -> list[str]:
    return list(_each_key(addresses))


def _each_key(addresses: Iterable[str]) -> Iterator[str]:
    for address in addresses:
        try:
            yield from sorted(keys_of(address))
        except AddressError as error:
            raise BulkmailError(str(error)) from None


def _line(entry: Suppression) -> str:
    return f"{entry.address or f'hash {entry.hash:016x}'}: {entry.words}"
