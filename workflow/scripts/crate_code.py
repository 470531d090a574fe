"""The code, the versions and the paths that an RO-Crate of a run tells of (export_crate.py)."""

import base64
import importlib.metadata
import os
import re
from pathlib import Path

import yaml

import crate_entities as entities

PROJECT = Path(__file__).resolve().parents[2]
CODE = ("config.yaml", "config", "envs", "profiles", "workflow", "run.sh", "requirements.txt")
CODE += ("README.md", "LICENSE", "CITATION.cff")
MAIN = "workflow/Snakefile"
LICENSES = "https://spdx.org/licenses/"
EMBEDDED = re.compile(rb"data:text/[^\"'<>]{0,200};base64,([A-Za-z0-9+/=]+)")  # tables and pages within the report


# ------------------------------------------------------------------------------------------------------------- paths
def without_paths(value):
    """A configuration in which absolute paths are their last name only."""
    if isinstance(value, dict):
        return {key: without_paths(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_paths(inner) for inner in value]
    if isinstance(value, str) and os.path.isabs(value):
        return Path(value).name
    return value


def absolute_paths(value):
    """The absolute paths among the values of a configuration, or among names of files."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [path for inner in value for path in absolute_paths(inner)]
    return [value] if isinstance(value, str) and os.path.isabs(value) else []


def folders_of_the_machine(records, configurations):
    """Folders that a crate does not name: the project, the working folder, the user's home, and those of every absolute path that
    run records and resolved configurations hold. A path whose folder lies right below /, such as /mnt, stands for itself."""
    paths = absolute_paths([[r["output"], *r["record"]["parents"]] for r in records] + configurations)
    folders = {str(p.parent if len(p.parent.parts) > 2 else p) for p in map(Path, paths)}
    folders |= {str(PROJECT), os.getcwd(), os.path.expanduser("~")}
    return sorted(folder for folder in folders if len(folder) > 3)


def tells_of_the_machine(path, folders):
    """Whether a file names one of these folders, as a path of its own and not as the end of another one."""
    word = re.compile(rb"(?<![\w.~-])(?:%s)(?![\w-])" % b"|".join(re.escape(os.fsencode(folder)) for folder in folders))
    content = path.read_bytes()
    embedded = map(base64.b64decode, EMBEDDED.findall(content))
    return any(word.search(text) for text in (content, *embedded))


def is_private(path, folders):
    """Whether a file of the project tells of the machine: a configuration with an absolute path, too."""
    if path.suffix == ".yaml" and path.is_relative_to(PROJECT / "config"):
        content = yaml.safe_load(path.read_text())
        return content != without_paths(content)
    return tells_of_the_machine(path, folders)


# -------------------------------------------------------------------------------------------------------------- code
def code_files():
    """(file, place in the crate) of the code, without caches."""
    for name in CODE:
        place = PROJECT / name
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and not {"__pycache__", ".snakemake"} & set(path.parts):
                yield path, path.relative_to(PROJECT).as_posix()


def does(path):
    """The first sentences of a script; nothing of one that is gone."""
    return path.read_text().split('"""')[1].strip().split("\n\n")[0].replace("\n", " ") if path.exists() else ""


def add_code(crate, records, tools, folders):
    """Add the workflow and the rest of the code, but for `tools`, the scripts that ran, which are told with what they did.

    records: the run records; folders: those of the machine. Returns the entity of the workflow, and [what was left out, and why].
    """
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    name = citation["license"]
    software_license = entities.entity(crate, LICENSES + name, "CreativeWork", name=name)
    commits = sorted({r["git_commit"] + "-dirty" * bool(r["git_dirty"]) for r in records})
    facts = {"name": citation["title"], "description": citation["abstract"], "encodingFormat": "text/x-python"}
    facts |= {"@type": entities.WORKFLOW, "version": f"{citation['version']}, commit {', '.join(commits)}"}
    facts["conformsTo"] = {"@id": f"{entities.BIOSCHEMAS}ComputationalWorkflow/1.0-RELEASE"}
    version = importlib.metadata.version("snakemake")
    workflow = crate.add_workflow(
        PROJECT / MAIN, MAIN, main=True, lang="snakemake", lang_version=version, properties=facts
    )
    workflow["license"], left_out = software_license, []
    for source, path in code_files():
        if is_private(source, folders):
            left_out.append(f"{path}: names a folder of this machine")
        elif path not in {MAIN, *tools}:
            added = entities.add_file(crate, source, path)
            if path == "README.md":
                added["about"] = crate.root_dataset
    return workflow, left_out


def add_software(crate, workflow, records):
    """Add Python, Snakemake and the packages that jobs imported, with their versions."""
    versions = {("python", r["python"]) for r in records} | {pair for r in records for pair in r["packages"].items()}
    facts = {"name": "Snakemake", "softwareVersion": importlib.metadata.version("snakemake")}
    entities.entity(crate, "#snakemake", "SoftwareApplication", url="https://snakemake.readthedocs.io", **facts)
    python = sorted(version for name, version in versions if name == "python")
    entities.entity(crate, "#python", "ComputerLanguage", name="Python", version=", ".join(python))
    for name, version in sorted(versions):
        facts = {"name": name, "softwareVersion": version}
        facts["url"] = f"pkg:pypi/{name}@{version}" if name != "python" else "https://www.python.org"
        package = entities.entity(crate, f"#software/{name}-{version}", "SoftwareApplication", **facts)
        workflow.append_to("softwareRequirements", package)
