from __future__ import annotations

import dns.rdata

from bulkmail.preflight.sender.txt import txt_line


def test_a_record_is_cut_as_a_zone_file_needs_it():
    assert txt_line("a.test", "x y") == 'a.test. IN TXT "x y"'
    text = "".join(chr(97 + n % 26) for n in range(600))
    value = txt_line("a.test", text).partition(" IN TXT ")[2]
    strings = dns.rdata.from_text("IN", "TXT", value).strings
    assert b"".join(strings).decode() == text
    assert [len(string) for string in strings] == [255, 255, 90]
