"""Watches over one job from a process of its own: ends it when its run is gone, or when it has stopped working.

A Snakemake that is killed (-9) leaves its jobs alive, which would write where the next run writes. And a job can wait for
ever: for a network disk that does not answer, or because something stopped it alone. What counts as work is processor
time, so a slow job is left in peace: less than a tenth of a second of it within DENSECELL_STALL_MINUTES (default 60; 0: no
limit) is a stall. Time is counted in looks, not on a clock: after a suspended machine or a changed clock the job gets all
its time again. Linux only; elsewhere nobody watches.

Usage: watchdog.py JOB_PID RUN_PID STALL_SECONDS, with a pipe as standard input whose other end the job holds.
"""

import os
import platform
import select
import signal
import sys

SECONDS_BETWEEN_LOOKS = 1
GRACE_S = float(os.environ.get("DENSECELL_GRACE_S", 60))  # between the signal that asks and the one that does not
LEAST_CPU_S = 0.1


def place():
    """Where a process number means the same process: machine, its start, and namespace of processes (containers have
    their own)."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as boot:
            return f"{platform.node()} {boot.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return platform.node()


def status(pid):
    """(state, processor seconds) of a process; ("X", 0) where there is none."""
    try:
        with open(f"/proc/{pid}/stat") as handle:
            fields = handle.read().rpartition(")")[2].split()  # from the third field on, man 5 proc
    except OSError:
        return "X", 0.0
    return fields[0], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_alive(pid):
    """Whether a process exists and is no zombie."""
    return status(pid)[0] not in "ZX"


def ended(seconds):
    """Wait so long for the job to end; whether it did."""
    return bool(select.select([0], [], [], seconds)[0])


def say(text):
    try:
        print(f"\ndensecell watchdog: {text}\n", file=sys.stderr, flush=True)
    except OSError:  # whoever read it is gone
        sys.stderr = None


def end(pid, why, with_trace=False):
    """End the job: first perhaps a trace of where each of its threads stands, then SIGTERM, at last SIGKILL."""
    say(why)
    trace = [(signal.SIGUSR1, 1)] if with_trace else []
    for number, seconds in (*trace, (signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if ended(seconds):
            return


def watch(pid, run, stall_s):
    """Look at the job `pid` until it ends; run: the process that it must not outlive, or 0; stall_s: 0 for no limit."""
    mark, looks = 0.0, 0
    while not ended(SECONDS_BETWEEN_LOOKS):
        if run and not is_alive(run):
            return end(
                pid, "the Snakemake that started this job is gone. The job ends, so that a new run can take over."
            )
        cpu_s = status(pid)[1]
        if cpu_s >= mark + LEAST_CPU_S:
            mark, looks = cpu_s, 0
        looks += 1
        if stall_s and looks * SECONDS_BETWEEN_LOOKS >= stall_s:
            return end(
                pid,
                f"this job did no work for {stall_s / 60:g} minutes: a disk that does not answer, or it was stopped. It is "
                "ended; the same command starts it again. DENSECELL_STALL_MINUTES sets the limit, 0 for none.",
                with_trace=True,
            )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the job, which ends and so ends this
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    watch(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
