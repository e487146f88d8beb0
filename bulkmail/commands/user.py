"""``bulkmail user``: who may use the operator's page, with which password, and to do what."""

from __future__ import annotations

import argparse
import getpass
import os
import secrets
import sys

from bulkmail.commands.terminal import Commands, add_json, add_settings, say, say_json
from bulkmail.exit_status import DONE
from bulkmail.mail import BulkmailError
from bulkmail.settings import Settings, load_settings
from bulkmail.web import BY_PROXY, Role, User, hash_password, read_users, user_name, write_users

_SHORTEST = 10
_SALT = 16


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    user = commands.add_parser("user", help="who may use the operator's page: add, remove, list")
    actions = user.add_subparsers(required=True, metavar="ACTION")
    adding = actions.add_parser("add", help="add a user, or change the password or the role of one")
    adding.add_argument("name", metavar="NAME", help="the name to sign in with")
    roles = [role.word for role in Role]
    adding.add_argument("--role", choices=roles, default="look", help="what they may do (default: look)")
    adding.add_argument("--no-password", action="store_true", help="only a proxy signs them in (web.user_header)")
    removing = actions.add_parser("remove", help="remove a user, whose sessions end at once")
    removing.add_argument("name", metavar="NAME", help="the name")
    listing = actions.add_parser("list", help="show the users and their roles")
    add_json(listing)
    for one, run in ((adding, _add), (removing, _remove), (listing, _list)):
        add_settings(one)
        one.set_defaults(run=run)


def _path(given: argparse.Namespace) -> str:
    settings: Settings = load_settings(given.settings, os.getcwd())
    if settings.web is None:
        raise BulkmailError("the settings have no `web`; give it a `listen` first, such as 127.0.0.1:8025")
    return settings.web.users


def _add(given: argparse.Namespace) -> int:
    path, name = _path(given), user_name(given.name)
    users = read_users(path)
    kept = BY_PROXY if given.no_password else hash_password(_password(), secrets.token_bytes(_SALT))
    done = "changed" if name in users else "added"
    write_users(path, {**users, name: User(name, Role[given.role.upper()], kept)})
    say(f"{name} is {done}, with the role {given.role}, in {path}")
    return DONE


def _password() -> str:
    """Ask for it twice on a terminal; else it is the first line of stdin."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise BulkmailError("the two passwords differ; nothing was changed")
    else:
        password = sys.stdin.readline().removesuffix("\n")
    if len(password) < _SHORTEST:
        raise BulkmailError(f"the password must have {_SHORTEST} characters or more; nothing was changed")
    return password


def _remove(given: argparse.Namespace) -> int:
    path = _path(given)
    users = read_users(path)
    if users.pop(given.name, None) is None:
        raise BulkmailError(f"{path} has no user {given.name!r}; see `bulkmail user list`")
    write_users(path, users)
    say(f"{given.name} is removed")
    return DONE


def _list(given: argparse.Namespace) -> int:
    users = sorted(read_users(_path(given)).values())
    if given.json:
        say_json([{"name": user.name, "role": user.role.word, "password": user.kept != BY_PROXY} for user in users])
        return DONE
    for user in users:
        say(f"{user.name}: {user.role.word}{'' if user.kept != BY_PROXY else ', by the proxy only'}")
    return DONE
