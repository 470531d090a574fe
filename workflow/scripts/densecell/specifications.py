"""What the specification in a checkpoint may hold. A stranger may have written it: every key, type and size is looked at."""

import math
import re

NEEDED = ("network", "options", "classes", "targets", "activation", "decision", "normalization", "window", "seeds")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
LARGEST_SIDE = 100_000  # voxels of a window
LARGEST_OPTION = 2**16
LARGEST_SEED = 2**64


def is_name(value):
    """Whether `value` is a name as the configuration allows it: it can't be a path."""
    return isinstance(value, str) and len(value) <= 200 and NAME.fullmatch(value) is not None


def is_word(value):
    """Whether `value` is a short text that prints as one line."""
    return isinstance(value, str) and len(value) <= 200 and value.isprintable()


def is_number(value):
    """Whether `value` is a number or null."""
    return value is None or type(value) in (int, float)


def is_whole(value, largest):
    """Whether `value` is a whole number from 0 to `largest`; true and false are none."""
    return type(value) is int and 0 <= value <= largest


def is_fraction(value):
    """Whether `value` is a number in [0, 1], not true or false."""
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 1


def are_names(value):
    """Whether `value` is a list of 1 to 255 different names."""
    return (
        isinstance(value, list) and 1 <= len(value) <= 255 and all(map(is_name, value)) and len({*value}) == len(value)
    )


def are_sides(value):
    """Whether `value` is a size (z, y, x) in voxels."""
    return isinstance(value, list) and len(value) == 3 and all(is_whole(n, LARGEST_SIDE) and n > 0 for n in value)


def are_options(value):
    """Whether `value` can be the options of a network: names with words, truth values, fractions or whole numbers of a sane size."""
    return isinstance(value, dict) and all(
        is_name(key)
        and (v is None or isinstance(v, bool) or is_word(v) or is_whole(v, LARGEST_OPTION) or is_fraction(v))
        for key, v in value.items()
    )


def are_statistics(value):
    """Whether `value` can be what the training keeps of its normalization: records of numbers and words."""
    return isinstance(value, list) and all(
        isinstance(record, dict)
        and all(is_word(key) and (is_number(v) or is_word(v) or _are_numbers(v)) for key, v in record.items())
        for record in value
    )


def is_composition(value):
    """Whether `value` can tell how targets become classes: the order of their names, two words, and a name."""
    return (
        isinstance(value, dict)
        and set(value) <= {"order", "nested", "ties", "outside"}
        and (value.get("order") is None or are_names(value["order"]))
        and all(value.get(key) is None or is_word(value[key]) for key in ("nested", "ties"))
        and (value.get("outside") is None or is_name(value["outside"]))
    )


def _are_numbers(value):
    return isinstance(value, list) and len(value) <= 1000 and all(map(is_number, value))


def _are_words(value):
    return isinstance(value, dict) and all(is_word(key) and (v is None or is_word(v)) for key, v in value.items())


def _are_seeds(value):
    return isinstance(value, dict) and all(
        is_word(key) and (v is None or is_whole(v, LARGEST_SEED)) for key, v in value.items()
    )


# key -> (what it must be, in words; the check)
KEYS = {
    "network": ("the name of a network", is_name),
    "options": ("names with words, true, false, numbers from 0 to 1 or whole numbers up to 65536", are_options),
    "classes": ("a list of 1 to 255 different names", are_names),
    "targets": ("a list of 1 to 255 different names", are_names),
    "activation": ("a word", is_word),
    "decision": ("a word", is_word),
    "threshold": ("a number above 0 and at most 1", lambda v: is_fraction(v) and v > 0),
    "compose": ("a record of order, nested, ties and outside", is_composition),
    "normalization": ("a list of records of numbers", are_statistics),
    "window": ("three sides in voxels (z, y, x)", are_sides),
    "tile": ("three sides in voxels (z, y, x)", lambda v: v is None or are_sides(v)),
    "seeds": ("whole numbers by name", _are_seeds),
    "precision": ("a word", is_word),
    "experiment": ("a name", is_name),
    "versions": ("words by name", _are_words),
    "step": ("a number", is_number),
    "eval_miou": ("a number", is_number),
    "stopped": ("a word, a number or null", lambda v: is_number(v) or isinstance(v, bool) or is_word(v)),
}


def problem(spec):
    """What is wrong with a specification, in words; '' for a sound one."""
    if not isinstance(spec, dict):
        return f"is a {type(spec).__name__}, expected a mapping"
    missing = [key for key in NEEDED if key not in spec]
    if missing:
        return f"lacks {', '.join(missing)}"
    unknown = [key for key in spec if key not in KEYS]
    if unknown:
        return f"has the unknown keys {', '.join(ascii(key)[:60] for key in unknown[:5])}"
    for key, (expected, check) in KEYS.items():
        if key in spec and not check(spec[key]):
            return f"has {key} {ascii(spec[key])[:100]}, expected {expected}"
    return ""
