"""The ``bulkmail`` command: what needs no daemon. The one place that prints."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from bulkmail import __version__
from bulkmail.campaign import schema as campaign_schema
from bulkmail.content import DkimKeyError, new_pem, record, record_name, zone_lines
from bulkmail.delivery import prepare
from bulkmail.mail import AddressError, BulkmailError, Refused, Status, domain_key
from bulkmail.settings import load_settings, parse_selector
from bulkmail.settings import schema as settings_schema
from bulkmail.shaping import describe_fact, suspended_until
from bulkmail.spool import CampaignRow, Reading, copy_spool, forget_sites, has_password, open_reader, public

DONE, REFUSED, USAGE = 0, 1, 2
_KEY_BYTES = 64_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 done, 1 refused, 2 wrong usage."""
    parser = _parser()
    given, rest = parser.parse_known_args(arguments)
    if rest and given.run is not _sink:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    given.rest = rest
    try:
        status: int = given.run(given)
        sys.stdout.flush()
    except Refused as refused:
        print(refused, file=sys.stderr)
        return REFUSED
    except BulkmailError as error:
        print(f"bulkmail: {error}", file=sys.stderr)
        return REFUSED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bulkmail", description="Look after bulkmail's campaigns. To send one: twistd -n bulkmail -c campaign.yaml"
    )
    parser.add_argument("--version", action="version", version=f"bulkmail {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="check a campaign as a start would, and send nothing")
    check.add_argument("campaign", help="the campaign.yaml, or its folder")
    check.add_argument("--settings", help="the operator's settings (default: ./bulkmail.yaml when it is there)")
    check.set_defaults(run=_check)

    status = commands.add_parser("status", help="how far the campaigns of a spool are, also while they are sent")
    status.add_argument("name", nargs="?", help="only this campaign")
    status.add_argument("--settings", help="the operator's settings (default: ./bulkmail.yaml when it is there)")
    status.add_argument("--json", action="store_true", help="for programs")
    status.add_argument("--sites", action="store_true", help="show the site facts, each with its expiry")
    status.set_defaults(run=_status)

    forget = commands.add_parser("forget", help="forget site facts")
    which = forget.add_mutually_exclusive_group(required=True)
    which.add_argument("site", nargs="?", help="one site, as `status --sites` names it, or its first host; an address")
    which.add_argument("--all", action="store_true", help="all of them")
    forget.add_argument("--settings", help="the operator's settings (default: ./bulkmail.yaml when it is there)")
    forget.set_defaults(run=_forget)

    spool = commands.add_parser("spool", help="a whole spool from a folder into PostgreSQL, or back")
    actions = spool.add_subparsers(required=True, metavar="ACTION")
    copy = actions.add_parser("copy", help="copy it, or go on with a copy; the old one cannot be sent from any more")
    copy.add_argument("source", metavar="FROM", help="a spool's folder, or its postgresql:// address")
    copy.add_argument("target", metavar="TO", help="the same, not in use and empty")
    copy.set_defaults(run=_copy)

    _dkim_commands(commands.add_parser("dkim", help="make a DKIM key, or print the DNS record of one"))

    schema = commands.add_parser("schema", help="the JSON Schema of campaign.yaml, or of bulkmail.yaml")
    schema.add_argument("which", nargs="?", choices=("campaign", "settings"), default="campaign")
    schema.set_defaults(run=_schema)

    sink = "run the rehearsal's world alone: DNS and mail servers on loopback; --help says with which options"
    commands.add_parser("sink", help=sink, add_help=False).set_defaults(run=_sink)
    return parser


def _dkim_commands(dkim: argparse.ArgumentParser) -> None:
    actions = dkim.add_subparsers(required=True, metavar="ACTION")
    new = actions.add_parser("new", help="make a key; print its DNS record and the settings for it")
    new.add_argument("domain", metavar="DOMAIN", help="the domain of From")
    new.add_argument("selector", metavar="SELECTOR", help="a name for the key, such as s1; a new key gets a new one")
    new.add_argument("--type", choices=("rsa", "ed25519"), default="rsa", help="default: rsa, of 2048 bits")
    new.add_argument(
        "--key", metavar="FILE", help="where to put it (default: keys/DOMAIN-SELECTOR.pem); never over one"
    )
    new.set_defaults(run=_dkim_new)
    record = actions.add_parser("record", help="print the DNS record of a key")
    record.add_argument("key", metavar="KEYFILE", nargs="?", help="the private key (default: all keys of the settings)")
    record.add_argument("domain", metavar="DOMAIN", nargs="?", help="with SELECTOR: print it for a zone file")
    record.add_argument("selector", metavar="SELECTOR", nargs="?")
    record.add_argument("--settings", help="the operator's settings (default: ./bulkmail.yaml when it is there)")
    record.set_defaults(run=_dkim_record)


def _check(given: argparse.Namespace) -> int:
    settings = load_settings(given.settings, os.getcwd(), given.campaign)
    if given.settings is None and settings.file is not None:
        print(f"the settings are those of {settings.file.path}", file=sys.stderr)
    prepared = prepare(os.path.abspath(given.campaign), settings, whole=True)
    notices = (*settings.warnings, *prepared.notices)
    for notice in notices:
        print(f"{notice}", file=sys.stderr)
    found = "nothing wrong was found" if not notices else f"it can be sent; look at the {_notices(len(notices))} first"
    print(f"{prepared.campaign.name}: {found}")
    return DONE


def _notices(count: int) -> str:
    return "notice" if count == 1 else f"{count} notices"


def _status(given: argparse.Namespace) -> int:
    settings = load_settings(given.settings, os.getcwd())
    reader = open_reader(settings.spool)
    if given.sites:
        return _sites(reader, settings.retry.expire_after, as_json=given.json)
    try:
        rows = [row for row in reader.campaigns() if given.name in (None, row.name)]
        found = [_figures(row, reader.totals(row.id)) for row in rows]
    finally:
        reader.close()
    if given.name is not None and not found:
        raise BulkmailError(f"{public(settings.spool)} has no campaign {given.name!r}")
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        for figures in found:
            print(_line(figures))
        if not found:
            print(f"{public(settings.spool)} has no campaigns")
    return DONE


def _sites(reader: Reading, expire_after: float, *, as_json: bool) -> int:
    try:
        facts = sorted(reader.site_facts(time.time()))
    finally:
        reader.close()
    if as_json:
        stored = [fact._asdict() for fact in facts]
        for one in stored:
            suspended = suspended_until(one["fact"], one["expires_at"], expire_after)
            one |= {name: _utc(one[name], "milliseconds") for name in ("learned_at", "expires_at")}
            one["suspended_until"] = None if suspended is None else _utc(suspended, "milliseconds")
        print(json.dumps(stored, indent=2))
    else:
        for fact in facts:
            words = describe_fact(fact.fact, fact.value)
            suspended = suspended_until(fact.fact, fact.expires_at, expire_after)
            end = f"until {_utc(fact.expires_at)}" if suspended is None else f"suspended until {_utc(suspended)}"
            print(f"{fact.site}: {words}; since {_utc(fact.learned_at)}, {end}")
        if not facts:
            print("nothing is remembered of any site")
    return DONE


def _utc(at: float, precision: str = "minutes") -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def _forget(given: argparse.Namespace) -> int:
    settings = load_settings(given.settings, os.getcwd())
    count = forget_sites(settings.spool, None if given.all else given.site)
    if not count and not given.all:
        raise BulkmailError(
            f"{public(settings.spool)} remembers nothing of {given.site!r}; see `bulkmail status --sites`"
        )
    print(f"{count} facts are forgotten")
    return DONE


def _copy(given: argparse.Namespace) -> int:
    if has_password(given.source) or has_password(given.target):
        print(
            "warning: every user of this machine can read a password in an argument while the command runs; leave it "
            "out and keep it in ~/.pgpass (mode 600), or in the environment variable PGPASSWORD",
            file=sys.stderr,
        )
    count = copy_spool(given.source, given.target, lambda text: print(text, file=sys.stderr))
    print(f"{count:,} recipients are in {public(given.target)} now; set `spool` to it")
    return DONE


def _dkim_new(given: argparse.Namespace) -> int:
    domain, selector = _key_name(given.domain, given.selector)
    path = given.key or os.path.join("keys", f"{domain}-{selector}.pem")
    pem = new_pem(given.type)
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(pem)
    except FileExistsError:
        raise BulkmailError(f"{path} is there already, and a key is never written over; use another selector") from None
    except OSError as error:
        raise BulkmailError(f"{path} cannot be written ({error.strerror})") from None
    print(f"The private key is in {path}; only you can read it.\n")
    print("Publish this record (a zone file's form):\n")
    print(zone_lines(domain, selector, pem))
    print("\nor, where your DNS provider has a form, a record of type TXT:\n")
    print(f"name:  {record_name(domain, selector)}\nvalue: {record(pem)}")
    print("\nThen add it to `dkim` in bulkmail.yaml:\n")
    print(f"dkim:\n  - {{domain: {domain}, selector: {selector}, key: {json.dumps(path)}}}")
    return DONE


def _dkim_record(given: argparse.Namespace) -> int:
    if given.key is None:
        keys = load_settings(given.settings, os.getcwd()).dkim
        if not keys:
            raise BulkmailError("the settings have no `dkim` keys; give a key file")
        for key in keys:
            print(zone_lines(key.domain, key.selector, key.pem))
        return DONE
    if given.domain is not None and given.selector is None:
        raise BulkmailError("give DOMAIN and SELECTOR, or neither")
    try:
        with open(given.key, "rb") as file:
            pem = file.read(_KEY_BYTES)
    except OSError as error:
        raise BulkmailError(f"{given.key} cannot be read ({error.strerror})") from None
    try:
        if given.domain is None:
            print(record(pem))
        else:
            print(zone_lines(*_key_name(given.domain, given.selector), pem))
    except DkimKeyError as error:
        raise BulkmailError(f"{given.key}: {error}") from None
    return DONE


def _key_name(domain: str, selector: str) -> tuple[str, str]:
    try:
        return domain_key(domain), parse_selector(selector)
    except (AddressError, ValueError) as error:
        raise BulkmailError(str(error)) from None


def _figures(row: CampaignRow, totals: dict[tuple[str, str, str], int]) -> dict[str, object]:
    by_status = {str(status): 0 for status in Status}
    for (_, status, _), count in totals.items():
        by_status[status] += count
    return {
        "campaign": row.name,
        "state": row.state,
        "folder": row.folder,
        "input_rows": row.input_rows,
        "input_complete": row.import_done,
        "by_status": by_status,
        "possibly_doubled": row.possibly_doubled,
        "exit_status": row.exit_status,
    }


def _line(figures: dict[str, object]) -> str:
    counts = figures["by_status"]
    assert isinstance(counts, dict)
    known = ", ".join(f"{status} {count:,}" for status, count in counts.items() if count)
    rows = f"{figures['input_rows']:,} rows" + ("" if figures["input_complete"] else " so far")
    return f"{figures['campaign']}: {figures['state']}, {rows}: {known or 'none yet'}"


def _schema(given: argparse.Namespace) -> int:
    print(json.dumps(campaign_schema() if given.which == "campaign" else settings_schema(), indent=2))
    return DONE


def _sink(given: argparse.Namespace) -> int:
    from bulkmail.rehearsal import run  # noqa: PLC0415 - brings a reactor

    return run(given.rest)


if __name__ == "__main__":
    sys.exit(main())
