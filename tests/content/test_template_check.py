from __future__ import annotations

import pytest

from bulkmail.content.template_check import TemplateCheck


@pytest.fixture
def problems(make):
    def found(**changes):
        check = TemplateCheck(make(**{"text": None, **changes}))
        return [str(problem) for problem in check.files()]

    return found


def test_a_right_one_has_none(problems):
    assert problems() == []
    assert problems(html="{{ email }}{{ token }}{{ campaign }}{{ row['first_name'] }}{{ range(3)|join }}") == []


def test_a_typing_mistake_is_placed_and_a_name_proposed(problems):
    (problem,) = problems(html="<p>\n  {{ frist_name }}</p>")
    assert problem.startswith("body.html.j2:2:6: unknown variable 'frist_name'; did you mean 'first_name'?")


def test_all_problems_at_once(problems):
    found = problems(html="{{ a }}\n{{ b }}", text="{{ c }}")
    assert [line.partition(" ")[0] for line in found] == ["body.html.j2:1:4:", "body.html.j2:2:4:", "body.txt.j2:1:4:"]


def test_defaults_and_tidy_names_are_known(problems):
    columns = [["email", "First Name", "2nd"]]
    assert problems(html="{{ first_name }}{{ _2nd }}{{ city }}", columns=columns, defaults={"city": "x"}) == []
    assert "did you mean 'First Name'" in problems(html="{{ row['first name'] }}", columns=columns)[0]
    assert "did you mean 'first_name'" in problems(html="{{ FirstName }}", columns=columns)[0]


def test_a_column_of_only_some_files(problems):
    columns = [["email", "first_name"], ["email"], ["email", "first_name"]]
    (problem,) = problems(columns=columns)
    assert "'first_name' is not a column of recipients file 2;" in problem
    assert "defaults: {first_name: ...}" in problem
    (problem,) = problems(columns=columns, recipients=["a.csv", "b.csv", "c.csv"])
    assert "not a column of b.csv;" in problem
    assert problems(columns=columns, defaults={"first_name": "there"}) == []
    assert problems(columns=columns, html="{{ first_name|default('there') }}") == []


def test_the_unsubscribe_url_needs_one(problems, make):
    assert "no `unsubscribe`" in problems(html="{{ unsubscribe_url }}")[0]
    assert problems(html="{{ unsubscribe_url }}", unsubscribe={"url": None, "mailto": "a@example.com"}) == []
    content = make(unsubscribe={"url": "https://x/{{ unsubscribe_url }}", "mailto": None})
    assert TemplateCheck(content).value("unsubscribe.url", content["unsubscribe"]["url"])


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("\n{% if x %}", "body.html.j2:2:1: `{% if x %}` has no end; write {% endif %} where it ends"),
        ("{{ first_name|uper }}", "body.html.j2:1: No filter named 'uper'; did you mean 'upper'?"),
        ("{{ first_name is definedd }}", "did you mean 'defined'?"),
        ("{{ [1]|random }}", "No filter named 'random'"),
        ("{{ 'x }}", "body.html.j2:1:1: `{{ 'x }}` cannot be read: "),
        ("{% include 'foot.html' %}", "body.html.j2:1: there is no template 'foot.html' in the campaign's folder"),
        ("{% include '../foot.html' %}", "there is no template '../foot.html'"),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "nested too deeply"),
    ],
)
def test_syntax(problems, html, words):
    (problem,) = problems(html=html)
    assert words in problem


def test_included_files_are_checked_under_their_own_names(problems):
    includes = {
        "base.html": "{% set brand = 'x' %}{{ title }}{% block main %}{% endblock %}{{ oops }}",
        "parts/item.html": "{{ item }}{{ brand }}\n{% include 'parts/missing.html' %}",
        "notes.txt": "{{ not part of it",
        "opt.html": "{{ first_name",
    }
    html = (
        "{% extends './base.html' %}{% set title = 'T' %}{% block main %}{{ brand }}"
        "{% for item in 'ab' %}{% include 'parts/item.html' %}{% endfor %}"
        "{% include ['no.html', 'opt.html'] %}{% include 'maybe.html' ignore missing %}{% endblock %}"
    )
    found = problems(html=html, includes=includes)
    assert [line.partition(" ")[0] for line in found] == ["base.html:1:66:", "opt.html:1:1:", "parts/item.html:2:"]
    assert "oops" in found[0]
    assert "parts/missing.html" in found[2]


def test_no_text_can_be_made(problems, monkeypatch):
    monkeypatch.setattr("bulkmail.content.template_check.plain_text", lambda source: "{% if %}" + source)
    (problem,) = problems(html="{% include 'a' %}", includes={"a": "x"})
    assert problem.startswith("body.html.j2: no text version can be made")
    assert problems(text="given") == []


def test_values_of_the_yaml_start_with_their_key(make):
    check = TemplateCheck(make())
    (problem,) = check.value("subject", "{{ nope }}")
    assert (problem.file, problem.line) == ("", 0)
    assert problem.message.startswith("subject: unknown variable 'nope'")
    assert check.value("subject", "{% if")[0].message.startswith("subject: ")
    assert "no template 'x'" in check.value("headers.X-A", "{% include 'x' %}")[0].message
    assert check.value("subject", "{{ first_name }} {{ token }}") == []


def test_a_column_with_a_troublesome_name(problems):
    columns = [["email", "loop", "self", "true", "class", "__class__", "\x1b[31m", ""]]
    assert (
        problems(html="{{ loop }}{{ class }}{{ __class__ }}{{ row['self'] }}{{ row['true'] }}", columns=columns) == []
    )
    assert "\x1b" not in problems(html="{{ nope }}", columns=columns)[0]


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("{{ First Name }}", "1:1: `{{ First Name }}`: a column's name is written in small letters"),
        ("{{ First Name }}", ": {{ first_name }}"),
        ("{{ first-name }}", "1:1: `{{ first-name }}` is read as a calculation; write {{ first_name }}, or"),
        ("x {{ First-Name }}", "1:3: `{{ First-Name }}` is read as a calculation"),
        ("{{ E-Mail }}", "1:1: `{{ E-Mail }}` is read as a calculation; write {{ email }}"),
        (
            "{{ contact.FIRSTNAME }}",
            "there is no 'contact' here; a column is printed by its name alone: {{ first_name }}",
        ),
        ("{{ amount + 5 }}", "1:4: `amount` is text, as each value of a list; for a number write amount|int"),
        ("*|FNAME|*", "`*|FNAME|*` is how Mailchimp prints a value, and goes out as it stands; write {{ first_name }}"),
        ('<p><img src="logo.png"></p>', "1:14: the picture `logo.png` is not sent along"),
        ("{{ height }}", "; recipients.csv has amount, city, email, first_name: add the column, give it a default"),
    ],
)
def test_what_people_write_is_told_in_words(problems, html, words):
    (problem,) = problems(html=html, columns=[["email", "First Name", "city", "amount"]], recipients=["recipients.csv"])
    assert problem.startswith("body.html.j2:")
    assert words in problem


def test_what_only_has_a_default_is_not_told_as_a_column(problems):
    columns, defaults = [["email", "Straße"]], {"first_name": "there"}
    (problem,) = problems(html="{{ height }}", columns=columns, recipients=["a.csv"], defaults=defaults)
    assert "; a.csv has email, straße: add the column, give it a default" in problem


def test_a_column_with_a_dash_is_named_as_it_is_written(problems):
    (problem,) = problems(html="{{ first-name }}", columns=[["email", "first-name"]])
    assert problem.endswith('write {{ first_name }}, or {{ row["first-name"] }}')


def test_in_the_yaml_too(make):
    check = TemplateCheck(make(columns=[["email", "First Name", "amount"]]))
    for source, words in (
        ("{{ First Name }}, hello", "subject: `{{ First Name }}`: "),
        ("{{ amount * 2 }}", "subject: `amount` is text"),
        ("*|FNAME|*, hello", "subject: `*|FNAME|*` is how Mailchimp"),
    ):
        (problem,) = check.value("subject", source)
        assert problem.message.startswith(words)


def test_a_number_that_the_template_makes_itself_is_one(problems):
    columns = [["email", "amount"]]
    assert problems(html="{% set amount = amount|int %}{{ amount + 5 }}", columns=columns) == []
    assert (
        problems(html="{{ amount|int + 5 }}{{ amount ~ 5 }}{% if amount == '5' %}x{% endif %}", columns=columns) == []
    )


def test_a_picture_in_the_text_template_is_text(problems):
    assert problems(text='<img src="logo.png">') == []


@pytest.mark.heavy
def test_a_broken_template_of_many_tags_is_told_in_time(problems):
    for piece in ("{{ x ", "{% raw %}", "{{ a-b }}", "{% if x %}", "[[a:", "<style>", "*|", "{#"):
        assert all(problems(html=piece * 5_000))


def test_of_many_columns_those_are_named_that_are_most_like_the_unknown_one(problems):
    names = ["email", *(f"Column {letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "customer_number_of_shop"]
    (problem,) = problems(html="{{ shop_id_customer }}", columns=[names])
    there = problem.partition(" has ")[2]
    assert there.startswith("customer_number_of_shop, ")
    assert "Column_A" not in there, "the same column by the name that is to be written is enough"
    assert there.count(",") == 21
