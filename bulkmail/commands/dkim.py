"""``bulkmail dkim``: make a DKIM key, or print the DNS record of one."""

from __future__ import annotations

import argparse
import json
import os

from bulkmail.commands.terminal import Commands, add_settings, say
from bulkmail.content import DkimKeyError, new_pem, record, record_name, zone_lines
from bulkmail.exit_status import DONE
from bulkmail.mail import AddressError, BulkmailError, domain_key
from bulkmail.settings import load_settings, parse_selector

_KEY_BYTES = 64_000


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    dkim = commands.add_parser("dkim", help="make a DKIM key, or print the DNS record of one")
    actions = dkim.add_subparsers(required=True, metavar="ACTION")
    new = actions.add_parser("new", help="make a key; print its DNS record and the settings for it")
    new.add_argument("domain", metavar="DOMAIN", help="the domain of From")
    new.add_argument("selector", metavar="SELECTOR", help="a name for the key, such as s1; a new key gets a new one")
    new.add_argument("--type", choices=("rsa", "ed25519"), default="rsa", help="default: rsa, of 2048 bits")
    new.add_argument(
        "--key", metavar="FILE", help="where to put it (default: keys/DOMAIN-SELECTOR.pem); never over one"
    )
    new.set_defaults(run=_new)
    shown = actions.add_parser("record", help="print the DNS record of a key")
    shown.add_argument("key", metavar="KEYFILE", nargs="?", help="the private key (default: all keys of the settings)")
    shown.add_argument("domain", metavar="DOMAIN", nargs="?", help="with SELECTOR: print it for a zone file")
    shown.add_argument("selector", metavar="SELECTOR", nargs="?", help="the key's selector, where DOMAIN is given")
    add_settings(shown)
    shown.set_defaults(run=_record)


def _new(given: argparse.Namespace) -> int:
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
    say(f"The private key is in {path}; only you can read it.\n")
    say("Publish this record (a zone file's form):\n")
    say(zone_lines(domain, selector, pem))
    say("\nor, where your DNS provider has a form, a record of type TXT:\n")
    say(f"name:  {record_name(domain, selector)}\nvalue: {record(pem)}")
    say("\nThen add it to `dkim` in bulkmail.yaml:\n")
    say(f"dkim:\n  - {{domain: {domain}, selector: {selector}, key: {json.dumps(path)}}}")
    return DONE


def _record(given: argparse.Namespace) -> int:
    if given.key is None:
        keys = load_settings(given.settings, os.getcwd()).dkim
        if not keys:
            raise BulkmailError("the settings have no `dkim` keys; give a key file")
        for key in keys:
            say(zone_lines(key.domain, key.selector, key.pem))
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
            say(record(pem))
        else:
            say(zone_lines(*_key_name(given.domain, given.selector), pem))
    except DkimKeyError as error:
        raise BulkmailError(f"{given.key}: {error}") from None
    return DONE


def _key_name(domain: str, selector: str) -> tuple[str, str]:
    try:
        return domain_key(domain), parse_selector(selector)
    except (AddressError, ValueError) as error:
        raise BulkmailError(str(error)) from None
