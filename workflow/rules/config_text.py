"""What the text of a configuration may hold, whatever its keys: no program, no bomb, no character that breaks a line.

As a program, `python workflow/rules/config_text.py ARGUMENTS` looks at the files behind --configfile among Snakemake's
arguments before Snakemake reads them; run.sh calls it. Snakemake runs Python code that it finds in a configuration with
`__use_yte__: true`, and follows aliases of YAML without a limit.
"""

import json
import re
import sys
import unicodedata
from pathlib import Path

import yaml

from config_schema import Finding, did_you_mean, join, show

TEMPLATE_KEY = "__use_yte__"  # of Snakemake's template language: what follows are programs
LARGEST_FILE_BYTES = 20_000_000
MOST_VALUES = (
    300_000  # of a configuration with its aliases written out; five stacks of 30,000 slices by name are 150,000
)
DEEPEST = 30  # the shipped configurations are 7 deep
LONGEST_NUMBER = 18  # digits of a whole number
PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null", "merge")}
PATH_KEYS = ("path", "truth")


class HostileText(ValueError):
    """A configuration that is refused before its keys are looked at."""


# ------------------------------------------------------------------------------------------- before Snakemake reads it
def config_files(arguments):
    """The files that Snakemake would read as configurations, of its arguments; its options may be abbreviated."""
    files, taking = [], False
    for argument in arguments:
        if argument.startswith("-"):
            name, _, value = argument.partition("=")
            taking = name.startswith("--configf")
            files += [value] if taking and value else []
        elif taking:
            files.append(argument)
    return files


def check_file(path):
    """Raise HostileText for a configuration file that Snakemake must not read, and for one that is no YAML or JSON."""
    path = Path(path)
    if not path.is_file():
        raise HostileText(f"{path}: expected a configuration file, found no regular file there. Correct the path.")
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise HostileText(f"{path}: expected at most {LARGEST_FILE_BYTES:,} bytes, found {path.stat().st_size:,}.")
    try:
        text = path.read_text(encoding="utf-8")
        try:
            check_values(json.loads(text), path)
        except json.JSONDecodeError:
            _check_events(yaml.parse(text, Loader=yaml.SafeLoader), path)
            yaml.safe_load(text)  # dates, numbers and merged keys, which only the loader looks at
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise HostileText(f"{path}: neither YAML nor JSON in UTF-8 ({error}).") from error
    except (RecursionError, ValueError) as error:
        if isinstance(error, HostileText):
            raise
        raise HostileText(f"{path}: a list in it is too deep, or a number or date can't be read ({error}).") from error


def _check_events(events, path):
    """Judge a YAML text by its events, which are never more than its bytes: nothing is built and no alias is followed."""
    sizes, open_nodes, anchors = {}, [], []  # values behind each anchor; those of the nodes around; their anchors
    for event in events:
        where = f"{path}, line {event.start_mark.line + 1}"
        if isinstance(event, yaml.CollectionEndEvent):
            size, anchor = open_nodes.pop(), anchors.pop()
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise HostileText(f"{where}: the alias *{event.anchor} stands for something around it, or for nothing.")
            size, anchor = sizes[event.anchor], None
        elif isinstance(event, yaml.NodeEvent):
            tag = getattr(event, "tag", None)
            if tag not in PLAIN_TAGS | {None, "!"}:
                raise HostileText(f"{where}: the tag {tag!r} asks for more than text, numbers and lists. Remove it.")
            if isinstance(event, yaml.CollectionStartEvent):
                open_nodes.append(1)
                anchors.append(event.anchor)
                sizes.pop(event.anchor, None)
                if len(open_nodes) > DEEPEST:
                    raise HostileText(f"{where}: nested more than {DEEPEST} deep.")
                continue
            _check_scalar(event, where)
            size, anchor = 1, event.anchor
        else:
            continue
        if anchor is not None:
            sizes[anchor] = size
        if open_nodes:
            open_nodes[-1] += size
        if size > MOST_VALUES or (open_nodes and open_nodes[-1] > MOST_VALUES):
            raise HostileText(f"{where}: more than {MOST_VALUES:,} values, with aliases (*) written out.")


def _check_scalar(event, where):
    if event.value == TEMPLATE_KEY:
        raise HostileText(
            f"{where}: {TEMPLATE_KEY} makes Snakemake run the Python code in this file. A configuration of densecell needs "
            "none: write the values out."
        )
    if event.style is None and len(event.value) > 1000 and event.value[:1] in "+-0123456789":
        raise HostileText(f"{where}: a number of {len(event.value):,} characters.")


def check_values(config, source="the configuration"):
    """Raise HostileText for a configuration that is too deep or, with what it shares written out, too large."""
    count, left = 0, [(config, 1)]
    while left:
        value, depth = left.pop()
        count += 1
        if count > MOST_VALUES:
            raise HostileText(f"{source}: more than {MOST_VALUES:,} values, with aliases (*) written out.")
        if depth > DEEPEST:
            raise HostileText(f"{source}: nested more than {DEEPEST} deep.")
        if isinstance(value, int) and abs(value) >= 10**LONGEST_NUMBER:
            raise HostileText(f"{source}: a whole number of more than {LONGEST_NUMBER} digits.")
        if isinstance(value, dict):
            left += [(part, depth + 1) for item in value.items() for part in item]
        elif isinstance(value, (list, tuple, set)):
            left += [(item, depth + 1) for item in value]


# --------------------------------------------------------------------------------------------------- findings
def is_plain(text):
    """Whether a text has no control characters, line breaks or halves of characters: it prints as one line."""
    return not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in text)


def in_plain_lines(text):
    """`text` with everything but characters and line breaks written as escapes, so that it can be printed anywhere."""
    return "".join(c if c == "\n" or is_plain(c) else ascii(c)[1:-1] for c in text)


def check_texts(value, path=""):
    """Texts of a configuration, its keys too, that are more than one line of characters; tabs count as such."""
    if isinstance(value, str) and not is_plain(value):
        hint = "Remove the line breaks and control characters; rename the file or folder where it is a path."
        yield Finding(path, ascii(value)[:80], "one line of ordinary characters", hint)
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(key, str) and not is_plain(key):
            yield Finding(join(path, ascii(key)), "a key with control characters", "one line of letters", "Rename it.")
        yield from check_texts(item, join(path, key if is_plain(str(key)) else ascii(key)))


def check_paths(config):
    """Paths, of a resolved configuration, that would be read as something else: wildcards in braces, or options."""
    texts = [(key, config[key]) for key in ("results_dir", "data_root")]
    records = [(join(s, i), r) for s in ("volumes", "labels", "weight_maps") for i, r in enumerate(config[s])]
    external = config["analysis"]["foreground"]["external"]
    records += [(f"analysis.foreground.external[{i}]", record) for i, record in enumerate(external)]
    for where, record in records:
        for key in PATH_KEYS:
            paths = record.get(key)
            texts += [(f"{where}.{key}", path) for path in (paths if isinstance(paths, list) else [paths]) if path]
    for where, path in texts:
        yield from path_finding(where, path)


def path_finding(where, path):
    """The finding for one path, or nothing. Snakemake takes what is in braces for a wildcard, programs a dash for an option."""
    if path and ("{" in path or "}" in path):
        near = [did_you_mean(name, ["data_root", "results_dir"]) for name in re.findall(r"\{(\w*)\}", path)]
        expected = "a path without braces; only {data_root} and {results_dir} are replaced"
        yield Finding(where, show(path), expected, "".join(near[:1]) or "Correct it, or rename the file or folder.")
    elif path and path.startswith("-"):
        yield Finding(where, show(path), "a path that does not begin with a dash", "Give the whole path, from /.")
    elif path and not is_plain(path):
        yield Finding(where, ascii(path), "a path without line breaks and control characters", "Rename it.")


def main(arguments):
    """Exit with a message where a configuration file of these arguments is refused."""
    for path in config_files(arguments):
        try:
            check_file(path)
        except (HostileText, OSError) as error:
            sys.exit(f"\ndensecell refuses a configuration file:\n  {error}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
