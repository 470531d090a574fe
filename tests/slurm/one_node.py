"""A real Slurm of one node for tests: its own key, ports, state and two pretended GPUs in one folder; no systemd, no cgroups.

Everything runs as the user who starts it and is stopped by its process id.
"""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
SYSTEM_PATH = "/usr/sbin:/usr/local/sbin"  # where the daemons are, which a user's PATH may lack
TIMEOUT_S = 60
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
SwitchType=switch/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
GresTypes=gpu
KillWait=15
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1
MinJobAge=3600
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=16000 Gres=gpu:2 State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing_programs():
    """Programs of Slurm and munge that this machine lacks (Debian: slurm-wlm, munge)."""
    return [name for name in PROGRAMS if not shutil.which(name, path=f"{os.environ['PATH']}:{SYSTEM_PATH}")]


def free_ports(count):
    """Ports of this machine that nothing listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class OneNode:
    """A running Slurm; `environment` lets its commands, and Snakemake, find it."""

    def __init__(self, folder):
        self.folder, self.processes = Path(folder), []
        self.environment = {**os.environ, "SLURM_CONF": f"{folder}/slurm.conf"}
        self.environment["PATH"] = f"{folder}/bin:{os.environ['PATH']}:{SYSTEM_PATH}"

    def start(self):
        """Write its files and start the three daemons in the foreground; raises RuntimeError when the node isn't ready."""
        folder, host = self.folder, socket.gethostname().split(".")[0]
        folder.chmod(0o711)  # munge wants its socket to be reachable for all
        for name in ("state", "spool"):
            (folder / name).mkdir()
        controller_port, node_port = free_ports(2)
        values = {"folder": folder, "host": host, "user": getpass.getuser()}
        text = CONFIGURATION.format(**values, controller_port=controller_port, node_port=node_port)
        (folder / "slurm.conf").write_text(text)
        # files of devices that exist everywhere stand for the GPUs; Slurm only hands out their numbers
        (folder / "gres.conf").write_text(f"NodeName={host} Name=gpu File=/dev/zero,/dev/null\n")
        (folder / "plugstack.conf").touch()
        # Snakemake's executor takes SLURM_CONF, like all of Slurm's variables, away from the srun that it starts in a job
        (folder / "bin").mkdir()
        srun = shutil.which("srun")
        (folder / "bin/srun").write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {srun} "$@"\n')
        (folder / "bin/srun").chmod(0o755)
        key = folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        munge = ("--socket", "munge.socket"), ("--pid-file", "munge.pid"), ("--log-file", "munge.log")
        munge += ("--key-file", "munge.key"), ("--seed-file", "munge.seed")
        self.daemon("munged", "--foreground", *(word for option, name in munge for word in (option, folder / name)))
        self.wait(lambda: (folder / "munge.socket").exists(), "munged")
        self.daemon("slurmctld", "-D", "-f", folder / "slurm.conf")
        self.daemon("slurmd", "-D", "-f", folder / "slurm.conf", "-N", host)
        self.wait(lambda: "idle" in self.run("sinfo", "--noheader", "--format=%T", check=False), "the node")

    def daemon(self, name, *arguments):
        """Start a daemon in the foreground, its output in the folder."""
        with open(self.folder / f"{name}.out", "w") as out:
            command = [shutil.which(name, path=self.environment["PATH"]), *map(str, arguments)]
            streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out}
            self.processes.append(subprocess.Popen(command, env=self.environment, cwd=self.folder, **streams))

    def wait(self, condition, what):
        """Wait until a condition holds."""
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            ended = [p.args[0] for p in self.processes if p.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = "\n".join(p.read_text(errors="replace")[-2000:] for p in sorted(self.folder.glob("*.out")))
                raise RuntimeError(f"{what} is not ready; ended: {ended}\n{logs}")
            time.sleep(0.2)

    def run(self, *command, check=True):
        """The output of one of Slurm's commands."""
        command = list(map(str, command))
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout

    def jobs(self):
        """All jobs of the cluster, those that ended too: their records as `scontrol` tells them."""
        lines = self.run("scontrol", "--oneliner", "--details", "show", "job").splitlines()
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines if "JobId=" in line]

    def stop(self):
        """Cancel what runs, then end the daemons, the node first; those of a controller that doesn't answer, too."""
        try:
            with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
                self.run("scancel", "--user", getpass.getuser(), check=False)
                self.wait(lambda: not self.run("squeue", "--noheader", check=False).strip(), "the end of the jobs")
        finally:
            for process in reversed(self.processes):
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@contextlib.contextmanager
def one_node():
    """A Slurm within the block. Its folder has a short name: a socket's may have 107 letters at most."""
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder:
        slurm = OneNode(folder)
        try:
            slurm.start()
            yield slurm
        finally:
            slurm.stop()
