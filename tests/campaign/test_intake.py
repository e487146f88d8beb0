from __future__ import annotations

import copy
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign import duplicates as duplicates_module
from bulkmail.campaign import intake as module
from bulkmail.campaign import lines as lines_module
from bulkmail.campaign.files import ListPath
from bulkmail.campaign.intake import Intake
from bulkmail.campaign.places import Stored
from bulkmail.mail import AddressError, Refused, Variants, parse_address
from tests.campaign.conftest import xlsx


def drain(intake, limit=1000):
    """All answers to `next`, and what settling says."""
    answers = []
    while True:
        verb, rows, state, done = intake.next(limit)
        assert verb == "rows"
        assert len(rows) <= limit
        answers.append((rows, copy.deepcopy(state)))
        if done:
            break
    settled, states = settle(intake, limit)
    intake.close()
    return answers, settled, states


def settle(intake, limit=1000):
    settled, states, done = [], [], False
    while not done:
        _, found, done, state = intake.settle(limit)
        settled += found
        states.append(state)
    return settled, states


def rows_of(answers):
    return [row for rows, _ in answers for row in rows]


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(tmp_path / name)

    return write


def test_rows_are_numbered_over_all_files_and_judged(write):
    first = write("a.csv", "email;name\nAnn@Example.com;Ann\n\nnobody;x\nbob@x.de;Bob\n")
    second = write("b.csv", "id,Mail\n7,ann@example.COM\n8,gone@x.de\n9,new@M\u00dcNCHEN.de\n")
    gone = write("gone.csv", "gone@X.de\n")
    intake = Intake([first, second], suppress=[gone])
    verb, columns, notices, sizes = intake.opened
    assert (verb, columns, notices) == ("opened", [["email", "name"], ["id", "email"]], [])
    assert sizes == [os.path.getsize(first), os.path.getsize(second)]
    answers, settled, states = drain(intake)
    assert rows_of(answers) == [
        (1, 0, 1, "Ann@Example.com", "example.com", '["Ann@Example.com","Ann"]', "ok", ""),
        (2, 0, 2, "nobody", "", '["nobody","x"]', "invalid", "line 4: 'nobody' has no @; correct the address"),
        (3, 0, 3, "bob@x.de", "x.de", '["bob@x.de","Bob"]', "ok", ""),
        (4, 1, 1, "ann@example.COM", "example.com", '["7","ann@example.COM"]', "held", ""),
        (
            5,
            1,
            2,
            "gone@x.de",
            "x.de",
            '["8","gone@x.de"]',
            "suppressed",
            "the address is on the suppress list gone.csv",
        ),
        (6, 1, 3, "new@M\u00dcNCHEN.de", "xn--mnchen-3ya.de", '["9","new@M\u00dcNCHEN.de"]', "ok", ""),
    ]
    assert settled == [(4, True, "the same address as row 1 of a.csv")]
    assert (answers[-1][1]["done"], answers[-1][1]["settled"], states[-1]["settled"]) == (True, 0, 6)
    assert answers[-1][1]["bytes"] == sum(sizes)


def test_with_one_file_a_duplicate_is_told_by_its_row(write):
    _, settled, _ = drain(Intake([write("a.csv", "email\na@b.de\nA@B.de\n")]))
    assert settled == [(2, True, "the same address as row 1")]


def test_invalid_and_suppressed_rows_are_nobodys_first(write):
    gone = write("gone.txt", "b.de\n")
    text = "email,x\na@b.de,1\na@b.de,2\nc@d.de,3,4\nc@d.de,3\n"
    answers, settled, _ = drain(Intake([write("a.csv", text)], suppress=[gone]))
    assert [row[6] for row in rows_of(answers)] == ["suppressed", "suppressed", "bad-row", "ok"]
    assert settled == []


def test_a_header_alone_is_no_rows(write):
    answers, settled, states = drain(Intake([write("a.csv", "email,name")]))
    assert (rows_of(answers), settled) == ([], [])
    assert states[-1]["done"]


def test_all_refusals_come_at_once(write):
    with pytest.raises(Refused) as caught:
        Intake([write("a.csv", "name\n"), write("b.csv", "")], suppress=[write("c.csv", "x y\n")])
    assert [problem.file[-5:] for problem in caught.value.problems] == ["a.csv", "b.csv", "c.csv"]


def test_columns_about_consent_are_noticed(write):
    path = write("a.csv", "email,unsubscribed\na@b.test,yes\nb@b.test,\nc@b.test,1\n")
    intake = Intake([path])
    assert intake.opened[2] == []
    _, rows, state, done = intake.next(2)
    assert (done, state["told"]) == (False, [])
    assert intake.notices()[0].message.startswith("1 of the first 2 rows say in column `unsubscribed`")
    intake.close()
    again = Intake([path], stored=Stored(2, state))
    while not done:
        _, rows, state, done = again.next(100)
    ((file, line, column, text),) = state["told"]
    assert (file[-5:], line, column, len(rows)) == ("a.csv", 1, 7, 1)
    assert text.startswith("2 of 3 rows say in column `unsubscribed` that they may not be mailed"), "the first ones too"
    _, _, done, state = again.settle(9)
    again.close()
    last = Intake([path], stored=Stored(3, state))
    assert last.next(9) == ("rows", [], state, True)
    last.close()


def test_first_rows_come_before_a_large_file_is_read(write, tmp_path):
    path = write("a.csv", "email\n" + "".join(f"user{number}@example.com\n" for number in range(200_000)))
    intake = Intake([path])
    _, rows, state, _ = intake.next(10)
    assert [row[0] for row in rows] == list(range(1, 11))
    assert state["bytes"] < 300
    intake.close()


def test_a_very_long_bad_address_is_shown_in_part(write):
    answers, _, _ = drain(Intake([write("a.csv", "email\n" + "x" * 5000 + "\n")]))
    ((_, _, _, shown, domain, _, verdict, _),) = rows_of(answers)
    assert (len(shown), domain, verdict) == (320, "", "invalid")


POOL = [
    "ann@x.de",
    "ANN@X.de",
    " ann@x.de",
    "bob@y.de",
    '"b b"@y.de',
    "gone@x.de",
    "z@gone.de",
    "no",
    "",
    "a@\u00fc.de",
]
ROWS = st.lists(st.tuples(st.sampled_from(POOL), st.sampled_from(["", "x", '"q"', "two\nlines"])), max_size=25)


def to_csv(rows, header="email,note"):
    quoted = [
        ",".join('"' + cell.replace('"', '""') + '"' if set(cell) & set('"\n') else cell for cell in row)
        for row in rows
    ]
    return "\n".join([header, *quoted]) + "\n"


@given(ROWS, ROWS, st.integers(1, 7), st.booleans())
def test_verdicts_are_those_of_a_simple_model(tmp_path_factory, first, second, limit, tiny_filter):
    folder = tmp_path_factory.mktemp("intake")
    paths = [folder / "a.csv", folder / "b.csv"]
    paths[0].write_text(to_csv(first))
    paths[1].write_text(to_csv(second))
    (folder / "gone").write_text("gone@x.de\ngone.de\n")
    least = duplicates_module._LEAST_WORDS
    duplicates_module._LEAST_WORDS = 1 if tiny_filter else least
    try:
        intake = Intake([str(path) for path in paths], suppress=[str(folder / "gone")])
    finally:
        duplicates_module._LEAST_WORDS = least
    answers, settled, _ = drain(intake, limit)
    rows = rows_of(answers)
    assert [row[0] for row in rows] == list(range(1, len(first) + len(second) + 1))
    given_cells = [(0, index, row) for index, row in enumerate(first, 1)] + [
        (1, index, row) for index, row in enumerate(second, 1)
    ]
    truth = {number: repeated for number, repeated, _ in settled}
    assert len(truth) == len(settled)
    seen = set()
    for row, (file_number, index, cells) in zip(rows, given_cells, strict=True):
        assert row[1:4] == (file_number, index, cells[0])
        assert json.loads(row[5]) == list(cells)
        verdict = row[6]
        if verdict == "held":
            verdict = "duplicate" if truth.pop(row[0]) else "ok"
        try:
            address = parse_address(cells[0])
        except AddressError:
            expected = "invalid"
        else:
            if address.key == "gone@x.de" or address.domain == "gone.de":
                expected = "suppressed"
            else:
                expected = "duplicate" if address.key in seen else "ok"
                seen.add(address.key)
            assert row[4] == address.domain
        assert verdict == expected
    assert not truth


PIECES = st.lists(
    st.sampled_from(
        [
            "ann@x.de,1\n",
            "bob@y.de,2\n",
            'c@z.de,"Cid\n',
            'd@z.de,Dan"\n',
            "\n",
            "x,\r\n",
            '"',
            ",",
            "e@e.de,5\n",
            "\n\n",
            "made by Ann\n",
            "Acme\n",
        ]
    ),
    max_size=20,
).map("".join)


@given(PIECES, st.integers(1, 4), st.sampled_from([8, 128 * 1024]))
def test_resuming_anywhere_gives_what_an_uninterrupted_run_gives(tmp_path_factory, text, limit, size):
    path = tmp_path_factory.mktemp("intake") / "a.csv"
    path.write_text("email,name\n" + text, newline="")
    before, lines_module._BLOCK = lines_module._BLOCK, size
    try:
        answers, settled, states = drain(Intake([str(path)]), limit)
        whole = rows_of(answers)
        stored = 0
        for rows, state in answers:
            stored += len(rows)
            again, settled_again, states_again = drain(Intake([str(path)], stored=Stored(stored, state)), limit)
            assert rows_of(again) == whole[stored:]
            assert settled_again == settled
            assert dict(states_again[-1], files=0) == dict(states[-1], files=0)
            for place, place_again in zip(states[-1]["files"], states_again[-1]["files"], strict=True):
                assert dict(place, cuts=0) == dict(place_again, cuts=0)
                assert set(place["cuts"]) <= set(place_again["cuts"])
    finally:
        lines_module._BLOCK = before


@given(PIECES, PIECES, PIECES, st.integers(1, 4))
def test_a_grown_list_gives_the_new_rows_and_only_them(tmp_path_factory, text, more, most, limit):
    path = tmp_path_factory.mktemp("intake") / "a.csv"
    path.write_text("email,name\n" + text, newline="")
    answers, settled, states = drain(Intake([str(path)]), limit)
    rows, state = rows_of(answers), states[-1]
    for addition in (more, most):
        unended = path.read_text()[-1] != "\n"
        with open(path, "a", newline="") as file:
            file.write("\n" * unended + addition)
        answers, settled_now, states = drain(Intake([str(path)], stored=Stored(len(rows), state)), limit)
        for some, some_state in answers:
            # whatever of it was stored, going on from there works
            rows += some
            again, _, _ = drain(Intake([str(path)], stored=Stored(len(rows), some_state)), limit)
            if some_state["rows"] == len(rows):
                assert [row[0] for row in rows_of(again)][:1] in ([], [len(rows) + 1])
        settled += settled_now
        state = states[-1]
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    held = [row[0] for row in rows if row[6] == "held"]
    assert sorted(number for number, _, _ in settled) == held
    truth = {number: repeated for number, repeated, _ in settled}
    seen = {}
    for row in rows:
        if row[6] in ("ok", "held"):
            first = seen.setdefault(parse_address(row[3]).key, row[0])
            assert truth.get(row[0], False) == (first != row[0])


def test_nothing_new_is_answered_at_once_without_reading(write, monkeypatch):
    path = write("a.csv", "email\na@b.de\na@b.de\n")
    _, _, states = drain(Intake([path]))
    intake = Intake([path], stored=Stored(2, states[-1]))
    monkeypatch.setattr(intake, "_begin", None)  # would fail
    assert intake.next(10) == ("rows", [], states[-1], True)
    assert intake.settle(10) == ("settled", [], True, states[-1])
    intake.close()


def test_an_unsettled_end_is_settled_after_a_restart(write):
    path = write("a.csv", "email\na@b.de\na@b.de\n")
    intake = Intake([path])
    _, _, state, done = intake.next(10)
    intake.close()
    assert done
    answers, settled, _ = drain(Intake([path], stored=Stored(2, state)))
    assert rows_of(answers) == []
    assert settled == [(2, True, "the same address as row 1")]


def test_reading_again_is_cut_into_short_jobs(write, monkeypatch):
    monkeypatch.setattr(module, "_AGAIN", 3)
    path = write("a.csv", "email\n" + "".join(f"u{number}@x.de\n" for number in range(10)))
    intake = Intake([path])
    _, rows, state, _ = intake.next(8)
    intake.close()
    intake = Intake([path], stored=Stored(8, state))
    for _ in range(3):
        assert intake.next(2) == ("rows", [], state, False)
    _, rows, _, done = intake.next(5)
    assert ([row[0] for row in rows], done) == ([9, 10], True)
    intake.close()


def test_more_files_may_be_added_behind(write):
    first, second = write("a.csv", "email\na@b.de\n"), write("b.csv", "mail;x\na@b.de;1\nc@d.de;2\n")
    _, _, states = drain(Intake([first]))
    answers, settled, _ = drain(Intake([first, second], stored=Stored(1, states[-1])))
    assert [row[:4] for row in rows_of(answers)] == [(2, 1, 1, "a@b.de"), (3, 1, 2, "c@d.de")]
    assert settled == [(2, True, "the same address as row 1 of a.csv")]


@pytest.mark.parametrize(
    "text", ["email,x\na@b.de,9\nc@d.de,2\n", "email,y\na@b.de,1\nc@d.de,2\n", "email,x\na@b.de\n"]
)
def test_a_change_in_what_was_read_is_refused(write, text):
    path = write("a.csv", "email,x\na@b.de,1\nc@d.de,2\n")
    answers, _, _ = drain(Intake([path]), 1)
    write("a.csv", text)
    for rows, state in answers:
        with pytest.raises(Refused, match="changed in the part already read"):
            Intake([path], stored=Stored(rows[0][0] if rows else 2, state))


def test_a_file_that_was_read_may_not_be_left_out(write):
    first, second = write("a.csv", "email\na@b.de\n"), write("b.csv", "email\n")
    _, _, states = drain(Intake([first, second]))
    with pytest.raises(Refused, match="2 lists were read before and 1 are left; put them back"):
        Intake([first], stored=Stored(1, states[-1]))


def test_what_was_not_read_yet_may_change(write):
    path = write("a.csv", "email,x\na@b.de,1\nc@d.de,2\n")
    answers, _, _ = drain(Intake([path]), 1)
    write("a.csv", "email,x\na@b.de,1\ne@f.de,3\ng@h.de,4\n")
    again, _, _ = drain(Intake([path], stored=Stored(1, answers[0][1])))
    assert [row[3] for row in rows_of(again)] == ["e@f.de", "g@h.de"]


def test_a_file_replaced_while_it_waits_for_its_turn_is_refused(write, tmp_path):
    first, second = write("a.csv", "email\na@b.de\n"), write("b.csv", "email\nc@d.de\n")
    intake = Intake([first, second])
    write("new.csv", "email\nother@d.de\n")
    (tmp_path / "new.csv").rename(second)
    with pytest.raises(Refused, match=r"b.csv: was replaced while the campaign was being read"):
        intake.next(10)
    intake.close()


def test_a_position_that_does_not_fit_the_rows_is_refused(write):
    path = write("a.csv", "email\na@b.de\n")
    _, _, states = drain(Intake([path]))
    with pytest.raises(Refused, match="5 rows are stored, but the reading position is row 1"):
        Intake([path], stored=Stored(5, states[-1]))
    with pytest.raises(Refused, match="stored by another version"):
        Intake([path], stored=Stored(1, {**states[-1], "version": 0}))
    intake = Intake([path], stored=Stored(5))
    with pytest.raises(Refused, match="holds other rows than the 5 stored"):
        intake.next(10)
    intake.close()


def test_a_growing_file_keeps_its_filter_and_its_encoding(write):
    path = write("a.csv", "email,n\na@b.de,J\u00f6rg\n".encode())
    _, _, states = drain(Intake([path], encoding="windows-1252"))
    assert states[-1]["files"][0]["encoding"] == "utf-8"
    write("a.csv", "email,n\na@b.de,J\u00f6rg\n".encode() + b"c@d.de,\xf6\n")
    answers, _, again = drain(Intake([path], encoding="windows-1252", stored=Stored(1, states[-1])))
    assert [row[6] for row in rows_of(answers)] == ["bad-row"]
    assert again[-1]["words"] == states[-1]["words"]


def test_rows_that_say_no_are_left_out_and_repeat_nothing(write):
    path = write("a.csv", "email,Unsubscribed\na@x.de,yes\nb@x.de,\nA@x.de,no\nbad,yes\nc@x.de,1\n")
    gone = write("gone.csv", "c@x.de\n")
    answers, settled, _ = drain(Intake([path], suppress=[gone]), 2)
    rows = rows_of(answers)
    assert [row[6] for row in rows] == ["no-consent", "ok", "ok", "invalid", "suppressed"]
    assert rows[0][7] == "the column `Unsubscribed` says `yes`"
    answers, settled, _ = drain(Intake([path], consent="none"))
    assert [row[6] for row in rows_of(answers)] == ["ok", "ok", "held", "invalid", "ok"]
    assert settled[0][:2] == (3, True)


def test_a_group_that_gets_no_message_is_left_out_and_counts_for_no_limit(write):
    emails = [f"reader-{number}@x.de" for number in range(40)]
    path = write("a.csv", "\n".join(["email", *emails, emails[0].upper(), "bad"]) + "\n")
    gone = write("gone.csv", f"{emails[1]}\n")
    groups = [("a", 100_000, False), ("none", 400_000, True)]
    rows = rows_of(drain(Intake([path], suppress=[gone], pick={"hold_out": groups}))[0])
    held = {email for email in emails if Variants(groups).of(email) == "none"} - {emails[1]}
    assert 5 < len(held) < 35
    assert {row[3] for row in rows if row[6] == "hold-out"} - {emails[0].upper()} == held
    assert {row[7] for row in rows if row[6] == "hold-out"} == {
        "in the group `none` of `variants`, which gets no message"
    }
    assert (rows[1][6], rows[40][6], rows[41][6]) == (
        "suppressed",
        "hold-out" if emails[0] in held else "held",
        "invalid",
    )
    some = rows_of(drain(Intake([path], pick={"hold_out": groups, "limit": 7}))[0])
    assert [row[6] for row in some].count("ok") == 7


def test_a_column_of_consent_that_is_missing_refuses_the_list(write):
    path = write("a.csv", "email,name\na@x.de,A\n")
    with pytest.raises(Refused, match="`consent` names the column `ok`"):
        Intake([path], consent={"column": "ok", "yes": ["1"]})


def sheet_of(*rows):
    cells = ["".join(f"<c t='str'><v>{cell}</v></c>" for cell in row) for row in rows]
    return "".join(f"<row>{row}</row>" for row in cells)


def test_a_workbook_is_read_on_where_it_has_grown(book):
    rows = [("E-Mail", "Unsubscribed"), ("a@b.de", ""), ("bad", ""), ("c@b.de", "yes")]
    path = book(xlsx(sheet_of(*rows)))
    answers, settled, states = drain(Intake([path]))
    first = rows_of(answers)
    assert [(row[2], row[6]) for row in first] == [(1, "ok"), (2, "invalid"), (3, "no-consent")]
    assert first[1][7].startswith("line 3: ")
    book(xlsx(sheet_of(*rows, ("d@b.de", ""), ("A@b.de", ""))))
    answers, settled, _ = drain(Intake([path], stored=Stored(3, states[-1])))
    assert [(row[0], row[6]) for row in rows_of(answers)] == [(4, "ok"), (5, "held")]
    assert settled == [(5, True, "the same address as row 1")]
    book(xlsx(sheet_of(*rows[:1], ("z@b.de", ""), *rows[2:])))
    with pytest.raises(Refused, match="changed in the part already read"):
        Intake([path], stored=Stored(3, states[-1]))


def test_the_column_that_was_found_by_its_cells_stays_the_same_one(write):
    path = write("a.csv", "Login,Other\na@b.de,x\n")
    answers, _, states = drain(Intake([path]))
    assert rows_of(answers)[0][3] == "a@b.de"
    write("a.csv", "Login,Other\na@b.de,x\nc@b.de,d@b.de\nx,e@b.de\n")
    intake = Intake([path], stored=Stored(1, states[-1]))
    assert "`Login`" not in str(intake.opened[2])
    answers, _, _ = drain(intake)
    assert [row[3] for row in rows_of(answers)] == ["c@b.de", "x"]


def test_what_is_known_of_a_header_is_told(write):
    path = write("a.csv", "Members of 2026\n\nName,Login\nAnn,a@b.de\n")
    with pytest.raises(Refused, match=r"a\.csv:1:1: no column"):
        Intake([path])
    path = write("a.csv", "Members of 2026\n\nName,Email\nAnn,a@b.de\n")
    intake = Intake([path])
    assert intake.opened[2] == [(path, 3, 0, "the header is in line 3; what stands above it is left out")]
    answers, _, _ = drain(intake)
    assert rows_of(answers)[0][3] == "a@b.de"


def test_a_named_column_beside_one_called_email(write):
    path = ListPath.of(write("a.csv", "email,Work Email\na@b.de,c@b.de\n"))
    path.email = "work_email"
    intake = Intake([path])
    assert intake.opened[1] == [["input_email", "email"]]
    answers, _, _ = drain(intake)
    assert rows_of(answers)[0][3] == "c@b.de"


@pytest.mark.parametrize("footer", ["Made by Ann\n", '\n\n"Spring"\n,"of May"\n'])
def test_what_stands_below_the_rows_is_told_and_counts_again_once_rows_come_behind_it(write, footer):
    path = write("a.csv", "email,name,city\nann@x.de,Ann\n" + footer)
    intake = Intake([path])
    answers, _, states = drain(intake)
    assert [row[3] for row in rows_of(answers)] == ["ann@x.de"]
    (told,) = states[-1]["told"]
    assert told[3].endswith(
        "having one cell filled and no address (`" + ("Spring`)" if "\n\n" in footer else "Made by Ann`)")
    )
    with open(path, "a") as file:
        file.write("bob@x.de,Bob\n")
    more, _, _ = drain(Intake([path], stored=Stored(1, states[-1])))
    assert [row[:4] for row in rows_of(more)] == [(2, 0, 2, "bob@x.de")]
    whole = rows_of(drain(Intake([path]))[0])
    assert len(whole) == 2 + len([line for line in footer.splitlines() if line])
