from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.campaign.keys import digest_of, read_address
from bulkmail.campaign.suppression import Suppression, load
from bulkmail.mail import Refused


@pytest.fixture
def listed(tmp_path):
    def make(*contents, encoding=None):
        paths = []
        for number, content in enumerate(contents, 1):
            path = tmp_path / f"list{number}.csv"
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            paths.append(str(path))
        return load(paths, encoding)

    return make


def why(suppression: Suppression, address: str) -> str:
    key, domain = read_address(address)
    return suppression.why(digest_of(key), domain)


def refusal(listed, *contents, **options):
    with pytest.raises(Refused) as caught:
        listed(*contents, **options)
    return caught.value.problems


def test_addresses_and_domains_in_a_plain_list(listed):
    text = (
        "\ufeff# gone\r\nBob@Example.com  # asked 2024\r\n\r\n@b\u00fccher.de\r\nspam.example\r\n  ann+x@a.de\t# x\r\n"
    )
    suppression, notes = listed(text)
    assert notes == []
    assert len(suppression) == 4
    assert why(suppression, "bOB@EXAMPLE.com") == "the address is on the suppress list list1.csv"
    assert why(suppression, "x@xn--bcher-kva.de") == "the domain xn--bcher-kva.de is on the suppress list list1.csv"
    assert why(suppression, "x@SPAM.example")
    assert why(suppression, "ann+x@a.de")
    for free in ("alice@example.com", "ann@a.de", "x@mail.spam.example"):
        assert why(suppression, free) == ""


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_csv_with_more_columns(listed, separator):
    rows = [["Date", "E-Mail", "why"], ["2024", "bob@example.com", "said\nno"], ["2023", "ann@example.com", ""]]
    text = "# export\n" + "\n".join(separator.join(f'"{cell}"' for cell in row) for row in rows)
    suppression, _ = listed(text)
    assert why(suppression, "ann@example.com")
    assert why(suppression, "bob@example.com")
    assert len(suppression) == 2


def test_the_domain_column_counts_only_where_the_address_is_empty(listed):
    suppression, _ = listed("email,domain\nbob@big.example,big.example\n,small.example\n,\n")
    assert why(suppression, "bob@big.example")
    assert not why(suppression, "ann@big.example")
    assert why(suppression, "ann@small.example")


def test_our_own_report_is_read_back(listed):
    suppression, _ = listed("row,email,status\r\n1,'=eq@a.de,bounced\r\n2,'-d@a.de,bounced\r\n3,ok@a.de,bounced\r\n")
    assert all(why(suppression, address) for address in ("=eq@a.de", "-d@a.de", "ok@a.de"))


def test_an_entry_stops_who_it_plainly_means(listed):
    suppression, _ = listed("\u200bbob@a.de\nbo\u00adb@b.de\n*@c.de\nmailto:cleo@d.de\n", 'email\n"Dan <dan@d.de>"\n')
    assert all(why(suppression, address) for address in ("bob@a.de", "bob@b.de", "x@c.de", "cleo@d.de", "dan@d.de"))
    assert not why(suppression, "ann@a.de")


def test_short_rows_of_a_csv_stop_who_they_name(listed):
    suppression, _ = listed("email,domain,why\nann@a.de\n,b.de\n")
    assert why(suppression, "ann@a.de")
    assert why(suppression, "x@b.de")
    (problem,) = refusal(listed, "email,domain,why\n \n,\n\nfoo,bar,x,y\n")
    assert problem.line == 5


def test_headers_of_common_exports_are_headers(listed):
    for header in ('"Name","E-mail Address"', 'Name,"E-Mail\n-Adresse"', "\ufeff\ufeffname,Correo", "x,Domain"):
        suppression, _ = listed(header + "\nAnn,ann.example\n")
        assert why(suppression, "x@ann.example")


def test_a_domain_that_sounds_like_a_column_is_none(listed):
    suppression, _ = listed("me.il\ne.mail\n")
    assert why(suppression, "x@me.il")
    assert why(suppression, "x@e.mail")


def test_a_pattern_is_refused_with_its_line(listed):
    (problem,) = refusal(listed, "ann@a.de\nb*b@a.de\n")
    assert (problem.line, problem.column) == (2, 1)
    assert "patterns are not taken" in problem.message


def test_each_list_is_named(listed):
    suppression, _ = listed("a@x.de\n", "b@x.de\na@x.de\n")
    assert why(suppression, "a@x.de").endswith("list1.csv")
    assert why(suppression, "b@x.de").endswith("list2.csv")


def test_an_empty_list_is_told(listed):
    suppression, notes = listed("")
    assert len(suppression) == 0
    assert "adds no address" in notes[0].message


def test_bad_lines_are_all_told_up_to_twenty(listed, tmp_path):
    problems = refusal(listed, "good@x.de\n" + "bad bad\n" * 25 + "alice@\n")
    assert [(problem.line, problem.column) for problem in problems[:2]] == [(2, 1), (3, 1)]
    assert len(problems) == 21
    assert problems[-1].message == "6 more lines are wrong"


def test_the_problems_of_all_lists_are_told_at_once(listed):
    problems = refusal(listed, "x\n", "a@b\n", b"\xffa@b.de\n")
    assert [problem.file[-9:] for problem in problems] == ["list1.csv", "list2.csv", "list3.csv"]
    assert "byte 1 (0xFF) is not UTF-8" in problems[2].message


def test_a_csv_with_a_bad_row_is_refused(listed):
    (ragged, nobody) = refusal(listed, "email,why\nbob@x.de,a,b\n,something\n")
    assert (ragged.line, ragged.message[:21]) == (2, "the row has 3 cells a")
    assert (nobody.line, nobody.message[:17]) == (3, "the row names nei")


def test_a_row_of_a_plain_list_needs_no_header_but_one_entry(listed):
    (problem,) = refusal(listed, "bob@x.de,Bob\n")
    assert problem.line == 1


def test_what_cannot_be_read_is_refused(listed, tmp_path):
    with pytest.raises(Refused, match="does not exist"):
        load([str(tmp_path / "none.csv")])
    with pytest.raises(Refused, match="is a folder, not a file"):
        load([str(tmp_path)])
    assert why(listed("a@b.de".encode("utf-16"))[0], "a@b.de")


def test_the_configured_encoding_is_taken(listed):
    suppression, _ = listed("email;Name\nann@x.de;J\u00f6rg\n".encode("cp1252"), encoding="windows-1252")
    assert why(suppression, "ann@x.de")


@settings(max_examples=20)
@given(st.sets(st.integers(0, 10**6), max_size=3000))
def test_the_table_is_a_set(numbers):
    suppression = Suppression()
    suppression._names.append("x")
    for number in numbers:
        suppression._add(f"{number}@x.de")
        suppression._add(f"{number}@x.de")
    assert len(suppression) == len(numbers)
    for number in range(0, 10**6, 997):
        assert bool(why(suppression, f"{number}@x.de")) == (number in numbers)


def test_the_table_grows_and_forgets_nothing(listed):
    suppression, _ = listed("".join(f"u{number}@x.de\n" for number in range(3000)) + "y.de\n")
    assert len(suppression) == 3001
    assert all(why(suppression, f"u{number}@x.de") for number in range(3000))
    assert not any(why(suppression, f"v{number}@x.de") for number in range(3000))
    # more domains than answers are remembered
    assert not any(why(suppression, f"a@d{number}.de") for number in range(5000))
    assert why(suppression, "a@y.de")


def test_a_quote_can_hide_no_row_of_a_list(listed):
    (problem,) = refusal(listed, 'email,why\nann@x.de,"no\nbob@x.de,no"\n')[:1]
    assert (problem.line, problem.message[:12]) == (2, "a quote open")
    (problem,) = refusal(listed, 'domain,why\nx.de,"no\ny.de,no"\n')[:1]
    assert (problem.line, problem.message[:12]) == (2, "a quote open")


def test_comments_in_a_csv_are_skipped(listed):
    suppression, _ = listed("email,why\n# asked to go\nann@x.de,no\n\n")
    assert len(suppression) == 1
