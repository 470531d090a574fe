"""What the jobs put into their run records: the hash of the resolved configuration and the commit of the code."""

import hashlib
import json
import os
import re
import subprocess

import yaml


def config_hash(config):
    """Hash (16 hexadecimal digits) of a resolved configuration."""
    return hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()[:16]


def commit(root):
    """The commit of the project in the folder `root`, with "-dirty" where files differ from it; "unknown" without git.

    A folder without a .git of its own, such as an unpacked archive, may lie in somebody else's repository: unknown as well.
    """
    if not os.path.exists(os.path.join(root, ".git")):
        return "unknown"
    command = ["git", "-C", root, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # reading must not write into the repository
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, env=environment)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip() or "unknown"


def version(root):
    """The version of the project in the folder `root`, from CITATION.cff; "unknown" where that is missing."""
    try:
        with open(os.path.join(root, "CITATION.cff")) as handle:
            return re.search(r"(?m)^version: *(\S+)", handle.read())[1]
    except (OSError, TypeError):
        return "unknown"


def keep_config(config, folder):
    """Write the resolved configuration as config.<hash>.yaml into `folder`, once, whole or not at all; return the path."""
    path = os.path.join(folder, f"config.{config_hash(config)}.yaml")
    if os.path.exists(path):
        return path
    os.makedirs(folder, exist_ok=True)
    partial = path + ".partial"
    with open(partial, "w") as handle:
        yaml.safe_dump(json.loads(json.dumps(config, default=str)), handle, sort_keys=False, allow_unicode=True)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(partial, path)
    return path
