"""What every script shares: arguments in three kinds, the record for the sidecars, and errors a person can read."""

import argparse
import contextlib
import ctypes
import faulthandler
import json
import logging
import math
import os
import signal
import subprocess
import sys

import run_record
import watchdog
from densecell import files
from densecell.source_files import source_files

M_ARENA_MAX = -8  # of glibc's malloc.h
RUN = {"threads": 1, "told": {}}  # of this process, for its run records


class Arguments:
    """A parser whose arguments are inputs, outputs or parameters, so that the record of a run follows from them.

    description: the script's docstring.
    """

    def __init__(self, description):
        self.parser = argparse.ArgumentParser(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        self.parser.add_argument("--code-hash", default="", help="hash of the code, kept in the sidecars")
        self.inputs, self.sources, self.parameters = [], [], []

    def input(self, name, help, several=False, required=True, foreign=False):
        """A file or folder that is read; with `several`, a list of them.

        foreign: it may be the user's, and a list may name folders and patterns of slices, of which `parse` finds the files.
        Anything else densecell wrote: it is refused without its sidecar.
        """
        self.inputs.append((name, files.foreign_content_id if foreign else files.content_id))
        if foreign and several:
            self.sources.append(name)
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
        for name in self.sources:
            setattr(args, name, source_files(getattr(args, name) or []))
        for name, content_id in self.inputs:
            value = getattr(args, name) or []
            for path in value if isinstance(value, list) else [value]:
                parents[str(path)] = content_id(path)
        params = {name: getattr(args, name) for name in self.parameters}
        args.record = {"params": params, "code": args.code_hash, "parents": parents}
        RUN["threads"] = getattr(args, "threads", 1)
        return args


def _flag(name):
    return "--" + name.replace("_", "-")


def tell(**facts):
    """What only the script knows of how it computed, for the run records: device and precision, parts of a gathered output."""
    RUN["told"].update(facts)


def few_arenas():
    """Let glibc's malloc keep two pools of memory instead of eight a processor: freed memory lies idle in each of them, so that
    resident memory crept up with the slices that threads of zarr had read (16 kB a slice of 512 x 512 in align_volume, none
    with two). Elsewhere nothing happens."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def start_watchdog():
    """Have watchdog.py look after this process: SIGUSR1 prints where each thread stands. Returns what must stay open."""
    if not os.path.exists("/proc/self/stat"):
        return None
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    try:
        stall_s = 60 * float(os.environ.get("DENSECELL_STALL_MINUTES", 60))
        if not 0 <= stall_s < math.inf:
            raise ValueError
    except ValueError:
        raise ValueError("DENSECELL_STALL_MINUTES: expected a number of minutes, 0 for no limit.") from None
    # a run that is gone already, while this job imported torch, counts; a process number of another machine does not
    is_here = os.environ.get("DENSECELL_RUN_PLACE") == watchdog.place()
    arguments = [os.getpid(), os.environ.get("DENSECELL_RUN_PID", 0) if is_here else 0, stall_s]
    try:
        reading, writing = os.pipe()  # this process alone holds the end for writing: when it ends, the watchdog does
        subprocess.Popen([sys.executable, "-IS", watchdog.__file__, *map(str, arguments)], stdin=reading)
        os.close(reading)
        return writing
    except OSError as error:
        print(f"densecell: nothing watches over this job ({error}); it goes on.", file=sys.stderr)


def _stop(number, _):
    sys.exit(128 + number)  # through the `finally` of all that is open


def run(main, failed=1):
    """Run a script's main() and write its run records; errors it foresees become one readable block and exit code `failed`,
    others keep their traceback. SIGTERM and Ctrl-C end it in order, with nothing half-written left."""
    few_arenas()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    signal.signal(signal.SIGTERM, _stop)
    try:
        start_watchdog()
        main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except (ValueError, OSError) as error:
        if os.environ.get("DENSECELL_TRACEBACK"):
            raise
        print(f"\ndensecell error in {os.path.basename(sys.argv[0])}:\n  {error}\n", file=sys.stderr)
        sys.exit(failed)
    run_record.write(os.path.basename(sys.argv[0]).removesuffix(".py"), RUN["threads"], RUN["told"])


def json_argument(text):
    """A JSON text as a value."""
    return json.loads(text)
