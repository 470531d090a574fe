"""What every script shares: arguments in three kinds, the record for the sidecars, and errors a person can read."""

import argparse
import contextlib
import ctypes
import json
import logging
import os
import sys

from densecell import files

M_ARENA_MAX = -8  # of glibc's malloc.h


class Arguments:
    """A parser whose arguments are inputs, outputs or parameters, so that the record of a run follows from them.

    description: the script's docstring.
    """

    def __init__(self, description):
        self.parser = argparse.ArgumentParser(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        self.parser.add_argument("--code-hash", default="", help="hash of the code, kept in the sidecars")
        self.inputs, self.parameters = [], []

    def input(self, name, help, several=False, required=True):
        """A file or folder that is read; with `several`, a list of them."""
        self.inputs.append(name)
        self.parser.add_argument(
            _flag(name), nargs="+" if several else None, required=required, default=[] if several else None, help=help
        )

    def output(self, name, help, several=False, required=True):
        """A file or folder that is written."""
        self.parser.add_argument(
            _flag(name), nargs="+" if several else None, required=required, default=[] if several else None, help=help
        )

    def parameter(self, name, help, kind=str, default=None, required=False):
        """A value; `kind` is its type, `json.loads` for lists and records. It goes into the sidecars."""
        self.parameters.append(name)
        self.parser.add_argument(_flag(name), type=kind, default=default, required=required, help=help)

    def setting(self, name, help, kind=str, default=None):
        """A value that changes how, not what, is computed (threads, a restart path); not in the sidecars."""
        self.parser.add_argument(_flag(name), type=kind, default=default, help=help)

    def parse(self, argv=None):
        """Parse; `record` on the result is what `files.writing` puts into the sidecars."""
        args = self.parser.parse_args(argv)
        parents = {}
        for name in self.inputs:
            value = getattr(args, name) or []
            for path in value if isinstance(value, list) else [value]:
                parents[str(path)] = files.content_id(path)
        params = {name: getattr(args, name) for name in self.parameters}
        args.record = {"params": params, "code": args.code_hash, "parents": parents}
        return args


def _flag(name):
    return "--" + name.replace("_", "-")


def few_arenas():
    """Let glibc's malloc keep two pools of memory instead of eight a processor: freed memory lies idle in each of them, so that
    resident memory crept up with the slices that threads of zarr had read (16 kB a slice of 512 x 512 in align_volume, none
    with two). Elsewhere nothing happens."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def run(main):
    """Run a script's main(); errors it foresees become one readable block and exit code 1, others keep their traceback."""
    few_arenas()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        main()
    except (ValueError, OSError) as error:
        if os.environ.get("DENSECELL_TRACEBACK"):
            raise
        print(f"\ndensecell error in {os.path.basename(sys.argv[0])}:\n  {error}\n", file=sys.stderr)
        sys.exit(1)


def json_argument(text):
    """A JSON text as a value."""
    return json.loads(text)
