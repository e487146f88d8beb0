from __future__ import annotations

import argparse

from bulkmail.commands import asking


def test_who_asks_is_this_user_unless_it_is_said(monkeypatch):
    monkeypatch.setenv("LOGNAME", "ann")
    assert asking.who(argparse.Namespace(by=None)) == "ann"
    assert asking.who(argparse.Namespace(by="the night shift")) == "the night shift"

    def nobody():
        raise KeyError("no such uid")

    monkeypatch.setattr(asking.getpass, "getuser", nobody)
    assert asking.who(argparse.Namespace(by=None)) == ""


def test_a_name_is_completed_by_each_shell():
    parser = argparse.ArgumentParser()
    asking.add_name(parser)
    (action,) = [one for one in parser._actions if one.dest == "name"]
    assert set(action.complete) == {"bash", "zsh", "tcsh"}
    assert all("_bulkmail_names" in text for text in asking.PREAMBLE.values())
