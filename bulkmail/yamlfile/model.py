"""A pydantic model over a YAML file: everything that is wrong, at once, in plain English."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Strict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bulkmail.mail import Problem, Refused
from bulkmail.yamlfile.tree import MAX_PROBLEMS, Path, YamlFile, dotted, shorten

Model = TypeVar("Model", bound=BaseModel)
Item = TypeVar("Item")


class Section(BaseModel):
    """A mapping in a file: strict types, no unknown keys, immutable.

    A validator is built when it is first used: that of a file holds those of its sections, whose own nobody uses.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


def one_line(text: str) -> str:
    """Return ``text`` when it can break no header, no command and no terminal. Raises ValueError with a sentence."""
    for character in text:
        if character < " " or "\x7f" <= character <= "\x9f" or character in "\u2028\u2029":
            raise ValueError(f"must not hold a line break or another control character ({character!a})")
    return text


Line = Annotated[str, AfterValidator(one_line)]  # text of one line, without control characters
# A list in the file, a tuple in the house. Not by a Field: pydantic 2.9 and 2.10 keep a default of one in all its uses
Many = Annotated[tuple[Item, ...], Strict(strict=False)]


class ErrorAt(ValueError):
    """A validator's complaint about something inside its value: ``loc`` leads there from the value."""

    def __init__(self, loc: Path, message: str) -> None:
        self.loc = loc
        super().__init__(message)


def validate(file: YamlFile, model: type[Model], context: Any = None) -> Model:
    """Return the file as ``model``; ``context`` goes to its validators. Raises Refused with every problem found.

    A file of comments alone is a mapping without keys.
    """
    try:
        return model.model_validate({} if file.value is None else file.value, context=context)
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems = [_problem(file, model, detail) for detail in details[:MAX_PROBLEMS]]
        problems.sort(key=lambda problem: (problem.line, problem.column))
        if len(details) > MAX_PROBLEMS:
            problems.append(Problem(file.path, 0, 0, f"and {len(details) - MAX_PROBLEMS} more problems"))
        raise Refused(problems) from None


def _problem(file: YamlFile, model: type[BaseModel], detail: ErrorDetails) -> Problem:
    loc = detail["loc"]
    kind = detail["type"]
    if kind in ("missing", "extra_forbidden"):
        around, name = loc[:-1], str(loc[-1])
        where = f"{dotted(around)}: " if around else ""
        if kind == "missing":
            return file.problem(around, f"{where}`{name}` is missing{_remedy(_walk(model, loc)[1], name)}")
        near = _suggestion(name, _walk(model, around)[0])
        return file.problem(loc, f"{where}`{shorten(name, 60)}` is not a known key; {near}", at_key=True)
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, ErrorAt):
        loc += error.loc
    known = file.known(loc)
    at_key = loc[-1:] == ("[key]",)
    sentence = _sentence(detail, file.texts.get(known), _walk(model, known)[0])
    return file.problem(loc, f"{dotted(known)}: {sentence}" if known else sentence, at_key=at_key)


def _sentence(detail: ErrorDetails, text: str | None, inside: type[BaseModel] | None) -> str:
    """Return what pydantic found, in plain English."""
    kind, value, facts = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return str(facts["error"])
    if value is None:
        return "has no value; give it one or remove the key"
    if kind == "string_type":
        quoted = json.dumps(text, ensure_ascii=False) if text is not None else None
        return f"must be text, not {_kind(value)}" + (f"; put it in quotes: {quoted}" if quoted else "")
    if kind in ("model_type", "model_attributes_type", "dict_type", "mapping_type"):
        known = f" with the keys {', '.join(_fields(inside))}" if inside else ""
        return f"must be a mapping, key: value{known}; not {_kind(value)}"
    if kind in ("tuple_type", "list_type"):
        return f"must be a list, such as [one, two]; not {_kind(value)}"
    if kind in ("int_type", "int_from_float", "float_type"):
        return f"must be a whole number, not {_shown(value)}" + (" in quotes" if isinstance(value, str) else "")
    if kind == "bool_type":
        return f"must be true or false, not {_shown(value)}"
    if kind == "literal_error":
        choices = str(facts["expected"]).replace("'", "")
        near = difflib.get_close_matches(str(value)[:60], re.split(", | or ", choices), 1) if value is not True else []
        return f"must be {choices}, not {_shown(value)}" + (f"; did you mean {near[0]}?" if near else "")
    if kind == "greater_than_equal":
        return f"must be at least {facts['ge']}, not {_shown(value)}"
    if kind == "less_than_equal":
        return f"must be at most {facts['le']}, not {_shown(value)}"
    return detail["msg"]


def _remedy(known: FieldInfo | None, name: str) -> str:
    if known is None or not known.description:
        return ""
    example = f", for example {name}: {flow(known.examples[0])}" if known.examples else ""
    return f": add {known.description}{example}"


def flow(value: Any) -> str:
    """Return an example as people write it on one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][\w./@-]*", value)
    return str(value) if plain else json.dumps(value, ensure_ascii=False)


def _suggestion(name: str, model: type[BaseModel] | None) -> str:
    fields = _fields(model) if model else {}
    near = difflib.get_close_matches(name[:60].lower(), list(fields), 1)
    if near:
        return f"did you mean `{near[0]}`?"
    for parent, inner in fields.items():
        section, _ = _inner(inner.annotation)
        if section is not None and name in _fields(section):
            return f"did you mean `{parent}.{name}`?"
    return f"known here: {', '.join(fields)}"


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {known.alias or name: known for name, known in model.model_fields.items()}


def _walk(model: type[BaseModel], loc: Path) -> tuple[type[BaseModel] | None, FieldInfo | None]:
    """Return the section that ``loc`` leads into (None at a plain value) and the field it is the value of."""
    here: type[BaseModel] | None = model
    known: FieldInfo | None = None
    names = False  # the next part is a name in a mapping of sections
    for part in loc:
        if names or isinstance(part, int):
            names = False
            continue
        known = _fields(here).get(part) if here else None
        here, names = _inner(known.annotation) if known else (None, False)
    return (None if names else here), known


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the section inside an annotation, and whether it stands there under names (a mapping)."""
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            origin = get_origin(annotation)
            return part, isinstance(origin, type) and issubclass(origin, Mapping)
    return None, False


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return f"a yes or no ({str(value).lower()})"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def _shown(value: Any) -> str:
    return _kind(value) if isinstance(value, (list, dict)) else shorten(json.dumps(value, ensure_ascii=False), 60)
