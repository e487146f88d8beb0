from __future__ import annotations

import pytest

from bulkmail.preflight.sender.freemail import is_freemail


@pytest.mark.parametrize(
    "domain", ["gmail.com", "yahoo.com", "yahoo.co.jp", "hotmail.fr", "live.com.au", "web.de", "outlook.com"]
)
def test_of_a_provider(domain):
    assert is_freemail(domain)


@pytest.mark.parametrize(
    "domain", ["example.com", "yahoo.shop.example", "mail.gmail.com", "live.shop", "gmail.example"]
)
def test_of_somebody_else(domain):
    assert not is_freemail(domain)
