from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.content.uri import ascii_url, stray_percent


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (" https://shop.example/u?e=%20&y=1,2#z \n", "https://shop.example/u?e=%20&y=1,2#z"),
        ("https://bücher.test/u/abc", "https://xn--bcher-kva.test/u/abc"),
        ("https://BÜCHER.test:8443/ü?ü=ü", "https://xn--bcher-kva.test:8443/%C3%BC?%C3%BC=%C3%BC"),
        ("https://b%C3%BCcher.test/u", "https://xn--bcher-kva.test/u"),
        ("https://bücher.test", "https://xn--bcher-kva.test"),
        ("https://jörg:x@bücher.test/", "https://j%C3%B6rg:x@xn--bcher-kva.test/"),
        ("https://[2001:db8::1]/ü", "https://[2001:db8::1]/%C3%BC"),
        ("mailto:büro@bücher.test?subject=Ü", "mailto:b%C3%BCro@xn--bcher-kva.test?subject=%C3%9C"),
        ("mailto:a%2Bb@shop.example,c@shop.example", "mailto:a+b@shop.example,c@shop.example"),
        ("ftp://ftp.shop.example/help.txt", "ftp://ftp.shop.example/help.txt"),
        ("tel:+49-30-1", "tel:+49-30-1"),
        ("https://shop.example:65535/u", "https://shop.example:65535/u"),
        ("https://a_b.example./u", "https://a_b.example./u"),
        ("https://192.0.2.1:8443/", "https://192.0.2.1:8443/"),
    ],
)
def test_what_goes_out_is_ascii_with_a_host_that_resolvers_know(text, url):
    assert ascii_url(text) == url
    assert ascii_url(url) == url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://shop.example/?e=50%off@a.test", "a % that begins no escape ('%of'); use {{ value|urlencode }}"),
        ("https://shop.example/100%", "a % that begins no escape ('%')"),
        ("https://shop.example/a b", "' ' in it; use {{ value|urlencode }}"),
        ("https://shop.example/\x07", "U+0007 in it"),
        ("https:///u", "the URL has no host"),
        ("https:/shop.example/u", "the URL has no host; write https://host"),
        ("https:shop.example", "the URL has no host"),
        ("https://:8443/u", "the URL has no host"),
        ("https://shop.example:99999/u", "no port in 'shop.example:99999'; write host:port"),
        ("https://shop.example:80a/u", "no port in 'shop.example:80a'"),
        ("https://bücher.test:65536/", "no port in"),
        ("https://2001:db8::1/", "no port in"),
        ("https://[fe80::x]/", "the URL's host '[fe80::x]' is none"),
        ("https://shop..example/u", "the URL's host 'shop..example' is none"),
        ("https://.example/u", "the URL's host '.example' is none"),
        ("https://-shop.example/u", "the URL's host '-shop.example' is none"),
        (f"https://{'a' * 64}.example/u", "letters, digits and inner hyphens"),
        ("https://shop,example/u", "the URL's host 'shop,example' is none"),
        ("https://ü..test/", "the URL's host: "),
        ("https://%FF.test/", "the URL's host: "),
        ("shop.example/u", "'shop.example/u' is not a URL"),
        ("mailto:help", "the mailto URL: 'help' has no @"),
    ],
)
def test_what_is_no_url_is_refused_with_the_remedy(text, words):
    with pytest.raises(ValueError, match=r".") as error:
        ascii_url(text)
    assert words in str(error.value)


@given(st.text(max_size=60))
def test_any_text_behind_a_scheme_is_refused_or_ascii(text):
    try:
        url = ascii_url(f"https://{text}")
    except ValueError:
        return
    assert url.isascii()
    assert not stray_percent(url)
    assert not set(url) & set("<> \r\n")


@given(st.text(st.sampled_from("aZ09.-:/?#[]@!%20fF&=~_+,;()'*$\"<>\\^` {|}\n\u0660\u00fc"), max_size=20))
def test_a_url_that_needs_no_change_is_judged_as_any_other(text):
    """A blank in front, which is taken away, keeps the short way from being taken."""

    def result(text):
        try:
            return ascii_url(text)
        except ValueError as error:
            return str(error)

    assert result(f"https://{text}") == result(f" https://{text}")


def test_a_long_hostile_url_is_refused_quickly():
    with pytest.raises(ValueError, match="begins no escape"):
        ascii_url("https://shop.example/" + "%20a" * 100_000 + "%")
