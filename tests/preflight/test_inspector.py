from __future__ import annotations

import base64
import json

import pytest

from bulkmail.content import new_pem, printed_columns
from bulkmail.preflight.inspector import Inspector
from tests.preflight.conftest import HTML, NOW, YAML


def rows(*cells):
    return [(n, 0, row[0], json.dumps(list(row))) for n, row in enumerate(cells, 1)]


ANN = ("ann@example.org", "Ann", "Leeds")
BOB = ("bob@example.net", "Bob", "Bath")


@pytest.fixture
def inspect(folder):
    def run(*cells, dkim=(), same=False, **changes):
        _, content = folder.write(**changes).prepared()
        content = {**content, "date": NOW, "dkim": list(dkim), "same_for_all": same}
        inspector = Inspector()
        inspector.handle(("load", {"content": content, "files": [""], "printed": printed_columns(content)}))
        return inspector.handle(("inspect", rows(*cells)))

    return run


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
KEY = {"domain": "example.com", "selector": "s1", "pem": new_pem("rsa")}


def test_rows_that_are_well(inspect):
    found = inspect(ANN, BOB, dkim=[KEY])
    assert found["kinds"] == []
    assert found["composed"] == 2
    assert found["subjects"] == ((1, "Ann, spring is here"), True)
    assert found["names"] == {(0, 1): {"Ann": 1, "Bob": 1}}
    assert found["signed_by"] == ["example.com"]
    total, largest, row = found["bytes"]
    assert 1000 < largest < total
    assert row in (1, 2)


def test_each_kind_has_its_rows(inspect):
    found = inspect(ANN, ("bob@example.net", "", "Bath"), ("info@example.net", "", "*|CITY|*"), dkim=[KEY])
    kinds = {kind[1]: on for kind, on in found["kinds"]}
    assert kinds == {"empty-value": [2, 3], "role-address": [3], "leftover": [3]}


def test_a_template_that_fails_in_some_rows(inspect):
    html = HTML.replace("Hello", "{{ 100 // (city|length) }}")
    found = inspect(ANN, ("bob@example.net", "Bob", ""), html=html, dkim=[KEY])
    ((kind, on),) = [(kind, on) for kind, on in found["kinds"] if kind[1] == "template-error"]
    assert on == [2]
    assert kind[0] == "error"
    assert kind[2] == "body.html.j2:1"
    assert "ZeroDivisionError" in kind[3]
    assert found["composed"] == 1


@pytest.mark.parametrize(("size", "code"), [(79_000, ""), (81_000, "html-large"), (103_000, "html-clipped")])
def test_large_html(inspect, size, code):
    found = inspect(ANN, html=HTML.replace("Welcome", "w" * size), dkim=[KEY])
    assert [kind[1] for kind, _ in found["kinds"]] == [code] * bool(code)
    assert found["html"][0] > size


def test_unsigned_messages_have_no_button(inspect):
    assert [kind[1] for kind, _ in inspect(ANN)["kinds"]] == ["unsubscribe-not-signed"]


def test_pictures_alone(inspect):
    without = YAML[: YAML.index("unsubscribe:")]
    found = inspect(ANN, yaml=without, html='<img src="https://x.example/a.png" alt="">', dkim=[KEY])
    assert {kind[1] for kind, _ in found["kinds"]} == {"no-text-part", "no-unsubscribe"}
    found = inspect(ANN, yaml=YAML, html="<p></p>", dkim=[KEY])
    assert {kind[1] for kind, _ in found["kinds"]} == {"empty-letter", "no-unsubscribe-link"}
    yaml = YAML.replace("html: body.html.j2", "text: body.html.j2")
    found = inspect(ANN, yaml=yaml, html="{% if false %}x{% endif %}\n", dkim=[KEY])
    assert "empty-letter" in [kind[1] for kind, _ in found["kinds"]]


def test_a_picture_of_the_folder_comes_with_the_message(inspect, folder):
    (folder.path / "a.png").write_bytes(base64.b64decode(PIXEL))
    yaml = YAML + "html: {embed_images: true}\n"
    found = inspect(ANN, yaml=yaml, html='<html><body><p>Hello</p><img src="a.png"></body></html>', dkim=[KEY])
    kinds = [kind[1] for kind, _ in found["kinds"] if kind[1].startswith("picture")]
    assert kinds == ["picture-without-alt"]


def test_one_message_for_all_is_looked_at_once(inspect):
    yaml = YAML.replace("{{ first_name }}, s", "S").replace("unsubscribe:", "to: Readers <r@example.com>\n#")
    found = inspect(ANN, BOB, yaml=yaml, html='<p>{{ "*|X|*" }}</p><a href="https://x.example">abmelden</a>', same=True)
    kinds = {kind[1]: on for kind, on in found["kinds"]}
    assert kinds == {"leftover": [1, 2], "no-unsubscribe-header": [1, 2]}


def test_an_unknown_job():
    with pytest.raises(LookupError):
        Inspector().handle(("send",))


def test_the_first_rows_are_looked_at_in_the_letters_of_all_variants(inspect):
    variants = "variants: {a: {share: 1%}, b: {share: 1%, subject: '{{ city[:2] }}{{ 1 // (city|int) }}'}}\n"
    found = inspect(ANN, BOB, yaml=YAML + variants, dkim=[KEY])
    told = {on[0]: kind for kind, on in found["kinds"] if kind[1] == "template-error"}
    assert [(told[row][2], told[row][3].startswith("in the letter of variant b: ")) for row in (1, 2)] == [
        ("subject", True),
        ("subject", True),
    ]
    assert found["composed"] == 2
