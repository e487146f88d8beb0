from __future__ import annotations

import pytest

from bulkmail.content.foreign import foreign_marks

COLUMNS = frozenset({"email", "first_name", "city"})


@pytest.mark.parametrize(
    ("source", "tool", "remedy"),
    [
        ("*|FNAME|*", "Mailchimp", "write {{ first_name }}"),
        ("*|UNSUB|*", "Mailchimp", "write {{ unsubscribe_url }}"),
        ("*|MMERGE7|*", "Mailchimp", "the columns are city, email, first_name"),
        ("%%first_name%%", "Salesforce Marketing Cloud", "write {{ first_name }}"),
        ("%%=city=%%", "Salesforce Marketing Cloud", "write {{ city }}"),
        ("[[city]]", "Mailjet", "write {{ city }}"),
        ('[[var:first_name:"you"]]', "Mailjet", "write {{ first_name }}"),
        ("<%= city %>", "ERB or EJS", "write {{ city }}"),
        ("${first_name}", "JavaScript or Marketo", "write {{ first_name }}"),
        ("{$city}", "MailerLite or Smarty", "write {{ city }}"),
        ("{first_name}", "another tool", "write {{ first_name }}"),
        ("{ First Name }", "another tool", "write {{ first_name }}"),
        ("%CITY%", "ActiveCampaign", "write {{ city }}"),
    ],
)
def test_a_mark_and_what_to_write(source, tool, remedy):
    (mark,) = foreign_marks(f"Hi\n  {source}!", COLUMNS)
    assert (mark.line, mark.column) == (2, 3)
    assert mark.sure
    assert mark.words.startswith(f"`{source}` is how {tool} prints a value, and goes out as it stands; ")
    assert remedy in mark.words


@pytest.mark.parametrize("source", ["[[1999 edition]]", "%%name%%", "[City]", "${price}", "%recipient.name%", "{$x}"])
def test_a_mark_of_which_one_cannot_be_sure(source):
    assert not any(mark.sure for mark in foreign_marks(source, COLUMNS))


def test_such_a_mark_is_told():
    (mark,) = foreign_marks("[[gift]]", COLUMNS)
    assert "the columns are city, email, first_name" in mark.words


@pytest.mark.parametrize(
    "source",
    [
        "{{ first_name }} {% if city %}{city{% endif %}",
        "<style>a{city} b{color:red} {first_name}</style>",
        "{# {first_name} *|FNAME|* #}",
        "{% raw %}{% endraw %}50 % off, 20%% of all, [1], [see](https://x.test), {}, $5 {price}",
        "https://x.test/%7Bcity%7D?a=%20CITY%20",
        "{{ '*|FNAME|*' }}",
    ],
)
def test_what_is_no_mark(source):
    assert list(foreign_marks(source, COLUMNS)) == []
