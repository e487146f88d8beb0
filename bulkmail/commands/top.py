"""``bulkmail top``: how the campaigns stand, in a terminal, renewed each second."""

from __future__ import annotations

import argparse
import contextlib
import curses
import locale
import os
import sys
from shutil import get_terminal_size
from typing import Any

from bulkmail.commands.status import campaigns
from bulkmail.commands.terminal import Commands, add_settings, say
from bulkmail.commands.top_lines import VIEWS, Line, Told, ordered, screen
from bulkmail.control import Client, NotRunningError
from bulkmail.exit_status import DONE
from bulkmail.mail import BulkmailError
from bulkmail.settings import Settings, load_settings

_EVERY = 1000  # milliseconds between two looks
_PATIENCE = 5.0  # seconds for the running service to answer
_MOST_SITES = "200"
_PAIRS = {"good": curses.COLOR_GREEN, "wrong": curses.COLOR_RED}


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    top = commands.add_parser("top", help="how the campaigns stand, in a terminal, renewed each second")
    top.add_argument("--once", action="store_true", help="print one picture and end; so it is on a pipe too")
    top.add_argument("--view", choices=VIEWS, default=VIEWS[0], help="what is shown first (default: campaigns)")
    add_settings(top)
    top.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Show it until ``q``, or print it once. Raises BulkmailError."""
    settings = load_settings(given.settings, os.getcwd())
    if given.once or not (sys.stdout.isatty() and sys.stdin.isatty()):
        width = get_terminal_size((80, 24)).columns
        for line in screen(look(settings, 0), given.view, 0, width, 1000):
            say(line.text.rstrip())
        return DONE
    look(settings, 0)  # what is wrong is told before the screen is taken
    with contextlib.suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, "")
    with contextlib.suppress(KeyboardInterrupt):
        curses.wrapper(_Top(settings, given.view).show)
    return DONE


def look(settings: Settings, chosen: int) -> Told:
    """Ask the running service, or where there is none the spool. Raises BulkmailError where neither can be asked."""
    found = campaigns(settings, None)
    client = Client(settings.place, _PATIENCE)
    shown = ordered(found)
    name = shown[min(chosen, len(shown) - 1)]["campaign"] if shown else ""
    try:
        said = client.get("campaigns", name, "recent") if name else None
        return Told(found, client.get("providers"), client.get("sites", most=_MOST_SITES), said)
    except NotRunningError:
        return Told(found, fault="no service runs on this spool")
    except BulkmailError as error:
        return Told(found, fault=str(error))


class _Top:
    """The screen: which view, and which campaign is chosen."""

    def __init__(self, settings: Settings, view: str) -> None:
        self._settings = settings
        self._view = view
        self._chosen = 0

    def show(self, window: Any) -> None:
        """Draw, and obey keys, until ``q``."""
        colours = self._colours()
        window.timeout(_EVERY)
        with contextlib.suppress(curses.error):
            curses.curs_set(0)
        while True:
            try:
                told = look(self._settings, self._chosen)
            except BulkmailError as error:
                told = Told((), fault=str(error))
            height, width = window.getmaxyx()
            lines = screen(told, self._view, self._chosen, width - 1, height - 1)
            keys = Line("1-4 or Tab: view   up, down: campaign   q: end")
            window.erase()
            for number, line in enumerate([*lines, *[Line("")] * (height - 1 - len(lines)), keys][:height]):
                with contextlib.suppress(curses.error):  # the terminal was made smaller meanwhile
                    window.addnstr(number, 0, line.text, max(0, width - 1), colours.get(line.tone, 0))
            window.refresh()
            if not self._obeyed(window.getch(), len(told.campaigns)):
                return

    def _colours(self) -> dict[str, int]:
        attributes = {"head": curses.A_BOLD, "wrong": curses.A_BOLD}
        if curses.has_colors() and "NO_COLOR" not in os.environ:
            curses.use_default_colors()
            for number, (tone, colour) in enumerate(_PAIRS.items(), 1):
                curses.init_pair(number, colour, -1)
                attributes[tone] = attributes.get(tone, 0) | curses.color_pair(number)
        return attributes

    def _obeyed(self, key: int, campaigns: int) -> bool:
        if key in (ord("q"), ord("Q"), 27):
            return False
        if ord("1") <= key < ord("1") + len(VIEWS):
            self._view = VIEWS[key - ord("1")]
        elif key == ord("\t"):
            self._view = VIEWS[(VIEWS.index(self._view) + 1) % len(VIEWS)]
        elif key in (curses.KEY_DOWN, ord("j")):
            self._chosen = min(self._chosen + 1, max(0, campaigns - 1))
        elif key in (curses.KEY_UP, ord("k")):
            self._chosen = max(0, self._chosen - 1)
        return True
