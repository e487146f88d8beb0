"""Filters that write dates, numbers and amounts as people of one locale do, and plural forms (CLDR, by Babel).

A cell is text, so a date is read in the form of ISO 8601, and a number with a point for its fraction. What is neither
is the fault of its row. Babel is imported when a template uses one of the filters: the others do without its data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from jinja2.exceptions import TemplateRuntimeError

FORMS = ("short", "medium", "long", "full")
_LARGEST, _FRACTION = 15, 10  # digits; together with a percent's two zeros less than what decimal holds, 28
PLURALS = ("zero", "one", "two", "few", "many", "other")
_DOT = {"other": "."}
_ORDINALS: Mapping[str, Mapping[str, str]] = {
    "en": {"one": "st", "two": "nd", "few": "rd", "other": "th"},
    "nl": {"other": "e"},
    "sv": {"one": ":a", "other": ":e"},
    **dict.fromkeys(("cs", "da", "de", "et", "fi", "hr", "hu", "nb", "nn", "no", "pl", "sk", "sl", "tr"), _DOT),
}
_RIGHT_TO_LEFT = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "iw", "ks", "ps", "sd", "ug", "ur", "yi"})
_RTL_SCRIPTS = frozenset({"arab", "hebr", "thaa", "syrc", "nkoo", "adlm"})
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


def direction(tag: str) -> str:
    """Return the direction that the language of this tag (BCP 47) is written in: ``rtl`` or ``ltr``."""
    language, *more = tag.lower().replace("_", "-").split("-")
    scripts = {part for part in more if len(part) == 4 and part.isalpha()}
    if scripts:
        return "rtl" if scripts & _RTL_SCRIPTS else "ltr"
    return "rtl" if language in _RIGHT_TO_LEFT else "ltr"


def known(tag: str) -> bool:
    """Return whether CLDR has a locale of this tag."""
    from babel import Locale, UnknownLocaleError  # noqa: PLC0415 - see the top

    try:
        Locale.parse(tag.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError):
        return False
    return True


def local_filters(tag: str) -> Mapping[str, Callable[..., Any]]:
    """Return the filters for a locale by their names."""
    return {
        "date": lambda value, form="medium": _babel().format_date(_date(value), _form(form), locale=_locale(tag)),
        "datetime": lambda value, form="medium": _babel().format_datetime(
            _datetime(value), _form(form), locale=_locale(tag)
        ),
        "number": lambda value, digits=None: _number(value, digits, tag),
        "percent": lambda value, digits=0: _percent(value, digits, tag),
        "money": lambda value, currency: _money(value, currency, tag),
        "ordinal": lambda value: _ordinal(value, tag),
        "plural": lambda value, **forms: _plural(value, forms, tag),
    }


def _babel() -> Any:
    from babel import dates  # noqa: PLC0415 - see the top

    return dates


@lru_cache(maxsize=64)
def _locale(tag: str) -> Any:
    """Return Babel's locale, else that of the language alone, else English.

    Babel takes the apostrophe between Swiss thousands for a quote, and leaves two of them out
    (findings/babel-drops-swiss-apostrophes.sh); the typographic one stays.
    """
    from babel import Locale, UnknownLocaleError  # noqa: PLC0415 - see the top

    parts = tag.replace("_", "-").split("-")
    try:
        locale = Locale.parse("-".join(parts), sep="-")
    except (UnknownLocaleError, ValueError):
        locale = Locale.parse(parts[0]) if known(parts[0]) else Locale.parse("en")
    every: Any = locale.number_symbols
    for symbols in every.values():
        if isinstance(symbols, MutableMapping) and symbols.get("group") == "'":
            symbols["group"] = "\u2019"
    return locale


def _form(form: object) -> str:
    """Check that it is one of Babel's forms, or a pattern of CLDR such as ``d. MMMM``."""
    if not isinstance(form, str) or not form:
        raise TemplateRuntimeError(f"the form of a date is one of {', '.join(FORMS)}, or a pattern such as 'd MMMM y'")
    return form


def _datetime(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    text = str(value).strip()
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        words = f"{text[:80]!r} is not a date; dates are read as 2026-12-31 or 2026-12-31T18:30"
        raise TemplateRuntimeError(words) from None


def _date(value: object) -> date:
    return _datetime(value).date()


def _decimal(value: object) -> Decimal:
    text = str(value).strip()
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite() or found.adjusted() > _LARGEST:
        raise TemplateRuntimeError(f"{text[:80]!r} is not a number that can be written; numbers are read as 1234.5")
    return found


def _digits(digits: object) -> int:
    if isinstance(digits, int) and not isinstance(digits, bool) and 0 <= digits <= _FRACTION:
        return digits
    raise TemplateRuntimeError(f"the digits behind the point are a whole number from 0 to {_FRACTION}")


def _number(value: object, digits: object, tag: str) -> str:
    return _applied(_decimal(value), _locale(tag), "decimal_formats", digits)


def _percent(value: object, digits: object, tag: str) -> str:
    """Write ``0.15`` as 15 %."""
    return _applied(_decimal(value), _locale(tag), "percent_formats", digits)


def _applied(number: Decimal, locale: Any, forms: str, digits: object) -> str:
    """Write a number by the locale's own pattern, with ``digits`` behind the point where that is not None."""
    from babel import numbers  # noqa: PLC0415 - see the top

    pattern = numbers.parse_pattern(getattr(locale, forms)[None].pattern)
    if digits is not None:
        pattern.frac_prec = (_digits(digits), _digits(digits))
    return str(pattern.apply(number, locale))


def _money(value: object, currency: object, tag: str) -> str:
    from babel import numbers  # noqa: PLC0415 - see the top

    code = str(currency).strip()
    if _CURRENCY.fullmatch(code) is None:
        raise TemplateRuntimeError(f"{code[:20]!r} is not a currency; write its code of three letters, such as 'EUR'")
    return str(numbers.format_currency(_decimal(value), code, locale=_locale(tag)))


def _ordinal(value: object, tag: str) -> str:
    """Return the place in an order, as ``2nd``, in the languages that have one form of it for all that is counted."""
    number = _decimal(value)
    if number != number.to_integral_value() or number < 0:
        raise TemplateRuntimeError(f"{str(value)[:80]!r} is not a whole number, so it has no place in an order")
    locale = _locale(tag)
    forms = _ORDINALS.get(locale.language)
    if forms is None:
        known_ones = ", ".join(sorted(_ORDINALS))
        raise TemplateRuntimeError(f"ordinal: its forms in {locale.language!r} are not known, only in {known_ones}")
    return f"{int(number)}{forms.get(locale.ordinal_form(number), forms['other'])}"


def _plural(value: object, forms: Mapping[str, Any], tag: str) -> str:
    """Return the form for a count; ``{}`` in it is the count as a number of the locale."""
    number = _decimal(value)
    wrong = [name for name in forms if name not in PLURALS]
    if wrong or "other" not in forms:
        words = f"{wrong[0]!r} is no plural form" if wrong else "the form `other` is missing"
        raise TemplateRuntimeError(
            f"{words}; write e.g. plural(one='{{}} point', other='{{}} points'); there are {', '.join(PLURALS)}"
        )
    form = forms.get(_locale(tag).plural_form(number), forms["other"])
    return str(form).replace("{}", _number(number, None, tag))
