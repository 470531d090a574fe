"""What a JSON schema says about a configuration: all findings at once, defaults, and a table for people.

The schemas are plain JSON Schema (draft 2020-12) without combinations such as anyOf, so every finding has one
place and one reason. `unit` is an annotation of ours, and `words` lists the texts that may stand in place of a number or a
list.
"""

import copy
import difflib
import functools
import re
from pathlib import Path
from typing import NamedTuple

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators

LARGEST_NUMBER = 2**53  # JSON's limit for whole numbers; infinity and nan are no numbers
TYPE_CHECKER = Draft202012Validator.TYPE_CHECKER.redefine_many(
    {
        "integer": lambda _, value: type(value) is int and abs(value) < LARGEST_NUMBER,
        "number": lambda _, value: type(value) in (int, float) and abs(value) < LARGEST_NUMBER,
    }
)


def _check_words(validator, words, instance, schema):
    if isinstance(instance, str) and instance not in words:
        yield ValidationError(f"{instance!r} is none of {words}")


def _check_pattern(validator, pattern, instance, schema):
    if isinstance(instance, str) and not re.fullmatch(pattern, instance):  # with re.search, $ would accept a line break
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


CHECKS = {"words": _check_words, "pattern": _check_pattern}
Validator = validators.extend(Draft202012Validator, CHECKS, type_checker=TYPE_CHECKER)
WORDS = {"string": "text", "boolean": "true or false", "object": "a mapping (key: value)", "null": "null"}


class Finding(NamedTuple):
    """One thing wrong with the configuration: where, what is there, what should be, what to do."""

    path: str
    found: str
    expected: str
    hint: str


@functools.cache
def load(path):
    """The schema in YAML file `path`, with each $ref replaced by its target (and noted under `included`)."""
    folder = Path(path).parent

    def expanded(node, root):
        if isinstance(node, list):
            return [expanded(item, root) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            file, _, pointer = node["$ref"].partition("#/")
            target = root = yaml.safe_load((folder / file).read_text(encoding="utf-8")) if file else root
            for key in pointer.split("/"):
                target = target[key]
            return {**expanded(target, root), "included": node["$ref"]}
        return {key: expanded(value, root) for key, value in node.items()}

    root = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return expanded(root, root)


def with_text_keys(value):
    """A copy of `value` whose mappings have text as keys; YAML also allows numbers and true or false there."""
    if isinstance(value, dict):
        return {str(key): with_text_keys(item) for key, item in value.items()}
    return [with_text_keys(item) for item in value] if isinstance(value, list) else value


def fill(value, schema):
    """A copy of `value` with the schema's defaults, also inside records and lists of records.

    What the schema refuses becomes its default, or None, so that later checks can go on. Keys without
    a default that aren't required stay absent; unknown keys are dropped.
    """
    if isinstance(value, dict) and "object" in schema["type"]:
        filled = {}
        for key, sub in schema.get("properties", {}).items():
            if key in value:
                filled[key] = fill(value[key], sub)
            elif "default" in sub or key in schema.get("required", ()) or sub["type"] == "object":
                filled[key] = _default(sub)
        for key in [key for key in value if key not in schema.get("properties", {})]:  # in the file's order
            sub = _schema_of_other(key, schema)
            if isinstance(sub, dict):
                filled[key] = fill(value[key], sub)
            elif sub:
                filled[key] = copy.deepcopy(value[key])
        return filled
    if isinstance(value, list) and "array" in schema["type"] and "properties" in schema.get("items", {}):
        return [fill(item, schema["items"]) if isinstance(item, dict) else fill({}, schema["items"]) for item in value]
    return copy.deepcopy(value) if Validator(schema).is_valid(value) else _default(schema)


def _default(schema):
    if "default" in schema:
        return copy.deepcopy(schema["default"])
    if schema["type"] == "object":
        return fill({}, schema)
    return [] if schema["type"] == "array" and "properties" in schema["items"] else None


def _schema_of_other(key, schema):
    """The schema of a key outside `properties`: a mapping, True (anything goes) or False (no such key)."""
    patterns = schema.get("patternProperties", {})
    return next((s for p, s in patterns.items() if re.search(p, str(key))), schema.get("additionalProperties", True))


# --------------------------------------------------------------------------------------------------- findings
def findings(value, schema, prefix=""):
    """Everything in `value` that `schema` refuses, in the order of the schema, one finding for each place."""
    found = {}
    errors = sorted(
        Validator(schema).iter_errors(value), key=lambda e: [str(part).zfill(4) for part in e.absolute_path]
    )
    for error in errors:
        path = join(prefix, *error.absolute_path)
        for finding in _explain(error, path):
            found.setdefault(finding.path, finding)
    return list(found.values())


def _explain(error, path):
    schema = error.schema
    if error.validator == "additionalProperties":
        known = list(_keys(schema))
        for key in error.instance:
            if key not in known and _schema_of_other(key, schema) is False:
                hint = did_you_mean(key, known) or "Remove it, or move it to where it belongs (docs/configuration.md)."
                yield Finding(join(path, key), f"unknown key {show(key)}", f"one of {', '.join(known)}", hint)
    elif error.validator == "required":
        for key in schema["required"]:
            if key not in error.instance:
                sub = schema["properties"][key]
                yield Finding(
                    join(path, key),
                    "nothing: the key is missing",
                    describe(sub),
                    f"Add it. {sub['description']}",
                )
    elif error.validator == "enum":
        hint = did_you_mean(error.instance, schema["enum"]) or "Use one of these."
        yield Finding(path, show(error.instance), describe(schema), hint)
    elif error.validator == "uniqueItems":
        twice = next(v for i, v in enumerate(error.instance) if v in error.instance[:i])
        yield Finding(path, f"{show(twice)} more than once", "each value once", "Remove the repetition.")
    elif error.validator in ("minItems", "maxItems"):
        yield Finding(path, f"{len(error.instance)} entries", describe(schema), "Give the expected number of entries.")
    elif error.validator == "words":
        hint = did_you_mean(error.instance, schema["words"]) or _type_hint(error.instance, schema)
        yield Finding(path, show(error.instance), describe(schema), hint)
    else:
        yield Finding(path, show(error.instance), describe(schema), _type_hint(error.instance, schema))


def _type_hint(value, schema):
    kinds = schema["type"]
    if isinstance(value, str) and ("number" in kinds or "integer" in kinds):
        try:
            float(value)
        except ValueError:
            return "Write a number."
        if "number" not in kinds and value.strip().isdigit():
            return f"Write the number without quotes: {int(value)}."
        return f"Write the number without quotes and with a decimal point before any e: {float(value)!r}."
    if "string" in kinds and isinstance(value, bool):
        return "Unquoted yes, no, on and off mean true and false: put the text in quotes."
    if "pattern" in schema and "#" in schema["pattern"]:
        return 'Write the color in quotes, for example "#ff0000"; without quotes, # starts a comment.'
    if "array" in kinds and not isinstance(value, list) and not ("integer" in kinds and isinstance(value, int)):
        items = schema["items"]["type"]
        return "Start each record with a dash." if items == "object" else "Write it in brackets: [first, second, ...]."
    if value is None and "null" not in kinds:
        return "Give a value, or remove the key to get its default." if "default" in schema else "Give a value."
    return "Change it to what is expected."


def join(*parts):
    """Key path in the form experiments[0].training.steps."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text and part != "" else str(part)
    return text


def show(value):
    """A value as a person would write it, shortened."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(show(v) for v in value[:6]) + (", ...]" if len(value) > 6 else "]")
    if isinstance(value, dict):
        return f"a mapping with the keys {', '.join(map(str, value))}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def did_you_mean(value, known):
    """The nearest valid name as a question, or '' when none is near."""
    lower = {str(name).lower(): str(name) for name in known}
    near = difflib.get_close_matches(str(value).lower(), lower, 1)
    return f"Did you mean '{lower[near[0]]}'?" if near else ""


# ------------------------------------------------------------------------------------------- schemas in words
def describe(schema):
    """What a schema accepts, in words: type, bounds and unit."""
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    nullable = ", or null" if "null" in kinds else ""
    unit = f" ({schema['unit']})" if "unit" in schema else ""
    if "enum" in schema:
        return f"one of {', '.join(v if isinstance(v, str) else show(v) for v in schema['enum'])}{nullable}"
    if "array" in kinds and schema["items"]["type"] == "object":
        return f"a list of records{nullable}"
    if "array" in kinds:
        text = _describe_list(schema)
        if "string" in kinds and "integer" not in kinds:
            text = (
                f"{bounds(schema).removeprefix('or ')}, or {text}" if "words" in schema else "text, or a list of text"
            )
        if "integer" in kinds:
            text = f"a whole number{', ' + bounds(schema) if bounds(schema) else ''}; or {text}"
        return text + unit + nullable
    kind = next(k for k in kinds if k != "null")
    if kind in ("integer", "number"):
        text = "a whole number" if kind == "integer" else "a number"
        return text + (f", {bounds(schema)}" if bounds(schema) else "") + unit + nullable
    if "pattern" in schema:
        return bounds(schema)
    return WORDS[kind] + nullable


def _describe_list(schema):
    low, high, items = schema.get("minItems"), schema.get("maxItems"), schema["items"]
    kinds = {"integer": "whole numbers", "number": "numbers", "string": "names"}
    kind = kinds.get(items["type"] if isinstance(items["type"], str) else items["type"][0], "lists of whole numbers")
    count = f"{low} " if low and low == high else "a list of "
    return f"{count}{kind}" + (f", each {bounds(items)}" if bounds(items) else "")


def bounds(schema):
    """The limits a schema sets, in words; '' for none."""
    if "pattern" in schema:
        return (
            'a color "#rrggbb"'
            if "#" in schema["pattern"]
            else "a name of letters, digits and _ that starts with a letter"
        )
    words = {
        "minimum": "{:g} or more",
        "exclusiveMinimum": "above {:g}",
        "maximum": "at most {:g}",
        "exclusiveMaximum": "below {:g}",
    }
    limits = [text.format(schema[key]) for key, text in words.items() if key in schema]
    either = ["or " + " or ".join(schema["words"])] if "words" in schema else []
    return ", ".join(limits + either)


def _keys(schema):
    """Key -> schema of everything that may stand in a mapping; families of keys under the name for people."""
    families = list(schema.get("patternProperties", {}).values())
    if isinstance(schema.get("additionalProperties"), dict):
        families.append(schema["additionalProperties"])
    return {**schema.get("properties", {}), **{family["title"]: family for family in families}}


def table(schema, path=""):
    """Rows (key, type, unit, default, bounds, description) of every key of a schema, in its order."""
    required = schema.get("required", ())
    for key, sub in _keys(schema).items():
        here = f"{path}.{key}" if path else key
        kinds = [sub["type"]] if isinstance(sub["type"], str) else sub["type"]
        items = sub.get("items", {})
        limits = (
            ", ".join(str(v).lower() if isinstance(v, bool) else str(v) for v in sub["enum"])
            if "enum" in sub
            else bounds(sub)
        )
        if items and items["type"] != "object":
            counts = (sub.get("minItems"), sub.get("maxItems"))
            exact = counts[0] == counts[1]
            number = f"{counts[0]} {'values' if exact else 'or more'}" if counts[0] else ""
            each = bounds(items) or ", ".join(items.get("enum", ()))
            limits = ", ".join(filter(None, [number, f"each {each}" if each else ""]))
            limits = f"{limits}; {'or ' * ('integer' in kinds)}{bounds(sub)}" if bounds(sub) else limits
        kind = " or ".join("list" if k == "array" else "mapping" if k == "object" else k for k in kinds)
        leaf = "properties" not in sub and "additionalProperties" not in sub and items.get("type") != "object"
        default = show_default(sub["default"]) if "default" in sub else "required" if key in required else ""
        see = " See presets." if "included" in sub and "presets" in sub["included"] else ""
        yield here, kind, sub.get("unit", ""), default, limits, sub["description"] + see
        if not leaf and not see:
            yield from table(items, here + "[]") if items else table(sub, here)


def show_default(value):
    """A default as it would be written in YAML."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return f"[{', '.join(map(show_default, value))}]" if isinstance(value, list) else str(value)
