"""The pages of the reference that are made from the code: commands, settings, tables, HTTP API."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import mqbg
import typer.main
from fastapi import FastAPI
from mqbg.commands.app import app as commands_app
from mqbg.serve.api.openapi import DESCRIPTION, TITLE
from mqbg.serve.api.routes import api_routes, health_routes
from mqbg.serve.batch.score_columns import COLUMN_MEANINGS
from mqbg.serve.batch.score_tables import SCORE_SCHEMAS
from mqbg.settings import DEFAULT_ACTIVITY_KINDS, Settings

_HTTP_METHODS = ("get", "post", "put", "delete")
_TYPE_NAMES = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "datetime": "date or time",
}
_COMMANDS_INTRO = """\
Every command ends with exit status 0 (done), 1 (failed) or 2 (bad input or settings: nothing was
written); `train` ends with 3 where there is no signal. Results go to files or to the standard
output, everything else to the standard error.
"""
_SETTINGS_INTRO = """\
The keys of `mqbg.toml`. All of them are optional, and None below means that a key is left out. An
unknown key is refused with the nearest known one.
"""
_SCORE_TABLES_INTRO = """\
One Parquet file a table. Times are UTC. For every group the contributions sum with `base_log_odds`
to `log_odds`, and points sum likewise to the score.
"""
_HTTP_INTRO = """\
`GET /openapi.json` of a running server has all of this with schemas and examples.
"""


def pages() -> dict[str, str]:
    """Every page as Markdown, by the name of its file."""
    return {
        "commands.md": commands_page(),
        "settings.md": settings_page(),
        "score-tables.md": score_tables_page(),
        "http-api.md": http_api_page(),
    }


# ---------------------------------------------------------------- commands


def commands_page() -> str:
    """Every command with its arguments and options, as `--help` has them."""
    group: Any = typer.main.get_command(commands_app)
    parts = ["# Commands\n", _COMMANDS_INTRO]
    for name, command in group.commands.items():
        parts += [f"## mqbg {name}\n", _paragraphs(command.help or ""), _usage(name, command)]
        rows = [_parameter_row(parameter) for parameter in command.params]
        parts += _table(("", "default", "meaning"), [row for row in rows if row])
    return "\n".join(parts)


def _usage(name: str, command: Any) -> str:
    arguments = [_argument_name(one) for one in command.params if _is_argument(one)]
    return f"```text\n{' '.join(['mqbg', name, *arguments, '[OPTIONS]'])}\n```\n"


def _parameter_row(parameter: Any) -> tuple[str, str, str] | None:
    if getattr(parameter, "hidden", False):
        return None
    names = (
        [_argument_name(parameter)]
        if _is_argument(parameter)
        else [*parameter.opts, *parameter.secondary_opts]
    )
    default = "required" if parameter.required else _default_text(parameter.default)
    return ", ".join(f"`{name}`" for name in names), default, parameter.help or ""


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _argument_name(parameter: Any) -> str:
    return str(parameter.name).upper()


# ---------------------------------------------------------------- settings


def settings_page() -> str:
    """Every key of `mqbg.toml`, from the sections' types, defaults and docstrings."""
    parts = ["# Settings\n", _SETTINGS_INTRO]
    for section in dataclasses.fields(Settings):
        name = "import" if section.name == "imports" else section.name
        parts += _section(name, typing.get_type_hints(Settings, include_extras=True)[section.name])
    rows = [
        (f"`{name}`", f"{kind.points:g}", kind.direction, "yes" if kind.high_intent else "",
         kind.family or "")
        for name, kind in DEFAULT_ACTIVITY_KINDS.items()
    ]  # fmt: skip
    parts += ["## Default kinds\n", "Settings are laid over these, key by key.\n"]
    parts += _table(("kind", "points", "direction", "high intent", "family"), rows)
    return "\n".join(parts)


def _section(name: str, annotation: Any) -> list[str]:
    """A section's heading, words and keys, then those of the sections inside it."""
    kind = _dataclass_in(annotation)
    if typing.get_origin(_bare(annotation)) is not None:  # a mapping: a section for each name
        name += ".NAME"
    intro, meanings = _docstring_parts(kind)
    hints = typing.get_type_hints(kind, include_extras=True)
    rows, inner = [], []
    for field in dataclasses.fields(kind):
        if _dataclass_in(hints[field.name]) is not None:
            inner.append((f"{name}.{field.name}", hints[field.name]))
        else:
            key = (f"`{field.name}`", _type_text(hints[field.name]), _field_default(field))
            rows.append((*key, meanings.get(field.name, "")))
    parts = [f"## [{name}]\n", _paragraphs(intro)]
    parts += _table(("key", "type", "default", "meaning"), rows)
    for inner_name, inner_annotation in inner:
        parts += _section(inner_name, inner_annotation)
    return parts


def _bare(annotation: Any) -> Any:
    """A type without what `Annotated` says of it."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _bare(typing.get_args(annotation)[0])
    return annotation


def _dataclass_in(annotation: Any) -> Any:
    """The section that a key holds, by itself or one for each name; None for a plain value."""
    bare = _bare(annotation)
    if dataclasses.is_dataclass(bare):
        return bare
    for inner in typing.get_args(bare):
        if (found := _dataclass_in(inner)) is not None:
            return found
    return None


def _type_text(annotation: Any) -> str:
    bare = _bare(annotation)
    origin, arguments = typing.get_origin(bare), typing.get_args(bare)
    if origin is typing.Literal:
        return " or ".join(f'`"{value}"`' for value in arguments)
    if type(None) in arguments:
        return " or ".join(_type_text(one) for one in arguments if one is not type(None))
    if origin is tuple:
        return f"list of {_type_text(arguments[0])}"
    if origin is not None and issubclass(origin, Mapping):
        return f"table of {_type_text(arguments[1])}"
    name = getattr(bare, "__name__", str(bare))
    return _TYPE_NAMES.get(name, name)


def _field_default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return _default_text(field.default_factory())
    return "required" if field.default is dataclasses.MISSING else _default_text(field.default)


def _default_text(value: Any) -> str:
    if value is None or value in ((), {}, ""):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{one}`" for one in value)
    if isinstance(value, Mapping):
        return _mapping_text(value)
    return f"`{value}`"


def _mapping_text(values: Mapping[str, Any]) -> str:
    return ", ".join(f"`{key} = {value}`" for key, value in values.items())


def _docstring_parts(kind: Any) -> tuple[str, dict[str, str]]:
    """What a docstring says before its attributes, and what it and its bases' say of each."""
    intro, _, attributes = (kind.__doc__ or "").partition("Attributes:")
    meanings: dict[str, str] = {}
    for base in kind.__bases__:
        if dataclasses.is_dataclass(base):
            meanings |= _docstring_parts(base)[1]
    name = ""
    for line in attributes.splitlines():
        if begins := re.match(r"^\s{8}(\w+(?:, \w+)*): (.*)$", line):
            name = begins[1]
            meanings[name] = begins[2]
        elif line.startswith(" " * 12) and name:
            meanings[name] += " " + line.strip()
    for names in [name for name in meanings if ", " in name]:
        meanings |= dict.fromkeys(names.split(", "), meanings[names])
    return _dedented(intro), meanings


# ---------------------------------------------------------------- tables that score writes


def score_tables_page() -> str:
    """Every table that `mqbg score` writes, column by column."""
    parts = ["# What `mqbg score` writes\n", _SCORE_TABLES_INTRO]
    for table, schema in SCORE_SCHEMAS.items():
        meanings = COLUMN_MEANINGS[table]
        rows = [(f"`{one.name}`", _arrow_type(one.type), meanings[one.name]) for one in schema]
        parts += [f"## {table}\n", *_table(("column", "type", "meaning"), rows)]
    return "\n".join(parts)


def _arrow_type(kind: Any) -> str:
    text = str(kind)
    names = {"string": "text", "double": "number", "int64": "whole number", "bool": "true or false"}
    if text.startswith("list"):
        return "list of texts"
    return "time" if text.startswith("timestamp") else names.get(text, text)


# ---------------------------------------------------------------- HTTP


def http_api_page() -> str:
    """Every path of the API, from its own OpenAPI description."""
    document = _openapi_document()
    parts = ["# HTTP API\n", document["info"]["description"], ""]
    parts += [
        "`GET /openapi.json` of a running server has all of this with schemas and examples.\n"
    ]
    for path, method, operation in _operations(document):
        parts += [f"## {method.upper()} {path}\n", operation.get("summary", "") + ".\n"]
        rows = [_query_row(one) for one in operation.get("parameters", ())]
        parts += _table(("parameter", "in", "meaning"), rows)
        answers = operation.get("responses", {}).items()
        parts += _table(("status", "meaning"), [(k, v["description"]) for k, v in answers])
    return "\n".join(parts)


def _openapi_document() -> Mapping[str, Any]:
    """What a server would answer at /openapi.json; routes are described without a store."""
    parts: Any = SimpleNamespace(settings=Settings(), keys=None)
    api = FastAPI(title=TITLE, description=DESCRIPTION, version=mqbg.__version__)
    api.include_router(api_routes(parts))
    api.include_router(health_routes(parts))
    return api.openapi()


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, item in document["paths"].items():
        for method in _HTTP_METHODS:
            if method in item:
                yield path, method, item[method]


def _query_row(parameter: Mapping[str, Any]) -> tuple[str, str, str]:
    schema = parameter.get("schema", {})
    words = parameter.get("description") or schema.get("description") or ""
    if choices := schema.get("enum"):
        words += " One of " + ", ".join(f"`{one}`" for one in choices) + "."
    if "default" in schema and schema["default"] not in ("", [], None):
        words += f" Default `{schema['default']}`."
    return f"`{parameter['name']}`", parameter["in"], words.strip()


# ---------------------------------------------------------------- Markdown


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    cells = [[_cell(one) for one in row] for row in rows]
    lines = [head, ("---",) * len(head), *cells]
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _paragraphs(text: str) -> str:
    return f"{_dedented(text)}\n"


def _dedented(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())
