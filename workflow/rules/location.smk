"""Where densecell's own files lie, and where its results go, when it runs by itself and when it is a module of another workflow.

All paths are relative to the working folder: they come up in shell commands, and a command that changes makes Snakemake
run a job again. So a project folder may be moved or copied.
"""

import os
import shlex
import shutil
import sys
import tempfile
import zipfile

from snakemake.common.configfile import load_configfile
from snakemake.path_modifier import PathModifier
from snakemake.sourcecache import HostingProviderFile, LocalGitFile
from snakemake.utils import update_config


def unpacked(repository, ref, folder):
    """Unpack a commit of a git repository into `folder`, once; returns (folder, commit). Scripts must lie on the disk, and a
    module from `github(...)`, `gitlab(...)` or `gitfile(...)` is a repository without a checkout."""
    commit, marker = repository.commit(ref).hexsha, os.path.join(folder, ".commit")
    if os.path.exists(marker) and open(marker).read() == commit:
        return folder, commit
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with tempfile.TemporaryFile() as archive:
        # zipfile writes below the folder only; tarfile does so from Python 3.11.4 on
        repository.archive(archive, commit, format="zip")
        zipfile.ZipFile(archive).extractall(folder)
    with open(marker, "w") as handle:
        handle.write(commit)
    return folder, commit


def project_folder(here, name):
    """(folder of the project, its commit or None) from the folder of this file; `name` is what the module is called."""
    target = os.path.join(".snakemake", "densecell", name or "main")
    if isinstance(here, HostingProviderFile):
        return unpacked(here.hosted_repo.repo, here.ref, target)
    if isinstance(here, LocalGitFile):
        from git import Repo

        return unpacked(Repo(here.repo_path), here.ref, target)
    return os.path.relpath(here.join("../..").get_path_or_uri(secret_free=True)), None


ROOT, COMMIT = project_folder(workflow.current_basedir, workflow.modifier.namespace)


def own(*parts):
    """The path of a file or folder of the project."""
    return os.path.normpath(os.path.join(ROOT, *parts))


IS_MODULE = not workflow.modifier.is_main_snakefile()
SCRIPTS = shlex.quote(own("workflow", "scripts"))  # as in the rules' shell lines
RULES = os.path.abspath(own("workflow", "rules"))
EMBEDDED = "config.yaml" if os.path.exists("config.yaml") else own("config.yaml")  # with --directory there may be none

# Python modules of these names that came from elsewhere (the outer workflow, another copy of densecell) are not ours
sys.path.insert(0, RULES)
for file in os.listdir(RULES):
    loaded = sys.modules.get(file.removesuffix(".py"))
    if loaded and os.path.dirname(os.path.abspath(loaded.__file__ or "")) != RULES:
        del sys.modules[loaded.__name__]


def in_module(config):
    """The configuration of a module: on top of config.yaml, as --configfile would be, and the module's `prefix:` before
    results_dir. Input files stay where the configuration says.

    Snakemake would put a prefix before the inputs and outputs of rules and not before the paths within their params.
    """
    if not IS_MODULE:
        return config
    whole = load_configfile(own("config.yaml"))
    update_config(whole, config)
    prefixes, workflow.modifier.path_modifier = workflow.modifier.path_modifier, PathModifier(None, None, workflow)
    results = os.path.join(str(whole["results_dir"]), "")
    return {**whole, "results_dir": os.path.normpath(prefixes.replace_prefix(results))}
