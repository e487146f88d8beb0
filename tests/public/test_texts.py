from __future__ import annotations

import pytest

from bulkmail.mail import Refused
from bulkmail.public.texts import LIST, SHIPPED, Texts, chosen, shipped, texts

KEYS = {known.alias or name for name, known in Texts.model_fields.items()}


@pytest.mark.parametrize("language", SHIPPED)
def test_each_shipped_language_has_every_text_and_names_the_list_where_english_does(language):
    words = shipped()[language]
    assert words.keys() == KEYS
    english = shipped()["en"]
    assert {key for key, text in words.items() if LIST in text} == {key for key in english if LIST in english[key]}
    for key in ("ask", "left", "back"):
        assert words[key].count(LIST) == 1


def test_no_language_has_anothers_text_by_mistake():
    for key in KEYS - {"address"}:
        assert len({words[key] for words in shipped().values()}) >= len(SHIPPED) - 1, key  # German and Dutch agree once


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("ja,fr;q=0.2,es;q=0.7", "es"),
        ("pt-BR", "pt"),
        ("zh-Hant-TW", "en"),
        ("*", "en"),
        ("de;q=0, fr;q=0.1", "fr"),
        ("it;q=x", "it"),
        ("en;q=0.5, pl ; Q=0.9", "pl"),
        (",;,,;q=", "en"),
        (",".join(["ja"] * 100 + ["de"]), "en"),
        ("a" * 100_000, "en"),
        ("-" * 900, "en"),
    ],
)
def test_the_browsers_language(header, language):
    assert chosen(shipped(), header) == language


@pytest.mark.parametrize(
    ("said", "language"), [("de-AT", "de"), ("PT-br", "pt"), ("da", "fr"), ("", "fr"), ("xx-de", "fr")]
)
def test_the_recipients_language_comes_before_the_browsers(said, language):
    assert chosen(shipped(), "fr,en", said) == language


def test_the_operators_texts_count_first(tmp_path):
    (tmp_path / "de.yaml").write_text('left: "Tschüss, {list}"\n', encoding="utf-8")
    (tmp_path / "pt-BR.yaml").write_text("address: Endereço de e-mail\n", encoding="utf-8")
    (tmp_path / "da.yaml").write_text("leave: Afmeld\n", encoding="utf-8")
    (tmp_path / ".hidden").write_text("x")
    known = texts(str(tmp_path))
    assert known["de"]["left"] == "Tschüss, {list}"
    assert known["de"]["title"] == shipped()["de"]["title"]
    assert (known["pt-br"]["address"], known["pt-br"]["title"]) == ("Endereço de e-mail", shipped()["pt"]["title"])
    assert (known["da"]["leave"], known["da"]["title"]) == ("Afmeld", "Unsubscribe")
    assert chosen(known, "pt-BR,pt;q=0.9") == "pt-br"
    assert texts() == shipped()


def test_wrong_texts_are_refused_all_at_once(tmp_path):
    (tmp_path / "de.yaml").write_text("lefft: x\nask: ''\n")
    (tmp_path / "fr.yaml").write_text("ask: [1]\n")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(Refused) as caught:
        texts(str(tmp_path))
    words = str(caught.value)
    assert "de.yaml:1:1: `lefft` is not a known key; did you mean `left`?" in words
    assert "fr.yaml:1:6" in words
    assert "notes.txt: the name of a file of texts is the code of its language" in words
    with pytest.raises(Refused, match="cannot be read"):
        texts(str(tmp_path / "nowhere"))
