from __future__ import annotations

from collections.abc import Callable

from bulkmail.campaign.model import Campaign


def test_one_file_of_each_locale_is_looked_for_later(read: Callable[..., Campaign]) -> None:
    locale = "locale: {column: first_name, fallback: [en]}\n"
    campaign = read(locale, template="{html: 'letter.{locale}.j2'}")
    assert (campaign.template.html, campaign.template.text) == ("letter.{locale}.j2", None)


def test_a_template_is_a_file_of_the_folder(refusal: Callable[..., list[str]]) -> None:
    (told,) = refusal(template="{html: none.j2}")
    assert "template.html: none.j2 does not exist" in told
    (told,) = refusal(template="{}")
    assert "template: must name an html file, a text file or both" in told
