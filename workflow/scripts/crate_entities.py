"""What an RO-Crate says of a run, as entities of the profile Provenance Run Crate 0.5 (w3id.org/ro/wfrun/provenance/0.5).

The workflow is the main entity, each script a tool, each job an action with its inputs, outputs and times. Files that are not in
the crate are told by name and SHA-256. No path of the machine goes in: results are named within their folder, raw data by name.
"""

import datetime
import mimetypes

from rocrate.model import ContextEntity, File

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
TERMS = "https://w3id.org/ro/terms/workflow-run#"
WORKFLOW, TOOL = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"], ["File", "SoftwareSourceCode"]
COMPLETED = "http://schema.org/CompletedActionStatus"
UNITS = "https://qudt.org/vocab/unit/"
BIOSCHEMAS = "https://bioschemas.org/profiles/"
TYPES = {".zarr": "application/vnd.zarr", ".safetensors": "application/octet-stream", ".md": "text/markdown"}
TYPES |= {
    ".yaml": "application/yaml",
    ".smk": "text/x-python",
    ".cff": "application/yaml",
    "Snakefile": "text/x-python",
}


def encoding_format(path):
    """The media type of a file by its name."""
    name = path.rsplit("/", 1)[-1]
    known = next((kind for end, kind in TYPES.items() if name.endswith(end)), None)
    return known or mimetypes.guess_type(name)[0] or "application/octet-stream"


def prepare(crate):
    """Name the profiles of the crate, and the terms that RO-Crate 1.1 does not have."""
    crate.metadata.extra_terms.update({term: TERMS + term for term in ("sha256", "resourceUsage")})
    for identifier, (name, version) in PROFILES.items():
        profile = crate.add(
            ContextEntity(crate, identifier, properties={"@type": "CreativeWork", "name": name, "version": version})
        )
        crate.root_dataset.append_to("conformsTo", profile)


def entity(crate, identifier, kind, **properties):
    """Add an entity that is no file of the crate, or return the one of that identifier."""
    return crate.get(identifier) or crate.add(
        ContextEntity(crate, identifier, properties={"@type": kind, **properties})
    )


def one_or_all(values):
    """A list, or its only value: RO-Crate 1.1 recommends no list of one."""
    return values[0] if len(values) == 1 else values


def add_file(crate, source, path, **properties):
    """Add a file of the disk to the crate at `path`."""
    known = {"name": path, "encodingFormat": encoding_format(path), "contentSize": str(source.stat().st_size)}
    return crate.add(File(crate, source, path, properties={**known, **properties}))


def add_tools(crate, workflow, scripts, tools):
    """A step of the workflow for each script that ran. scripts: their names in the order in which they first ran; tools:
    {script: (file of the disk, its place in the crate, what it does, hashes of the code that ran)}."""
    for position, script in enumerate(scripts, 1):
        source, path, does, hashes = tools[script]
        facts = {"name": script, "description": does, "version": f"code {', '.join(sorted(hashes))}"}
        if source.exists():
            tool = add_file(crate, source, path, **{"@type": TOOL, **facts})
        else:  # of an earlier version of densecell
            tool = entity(crate, f"#tool/{script}", "SoftwareSourceCode", **facts)
        tool["programmingLanguage"] = crate.get("#python")
        tool["license"] = workflow["license"]
        step = entity(crate, f"#step/{script}", "HowToStep", name=script, position=str(position))
        step["workExample"] = tool
        workflow.append_to("hasPart", tool)
        workflow.append_to("step", step)


def moment(job):
    """(start, end) of a job in UTC, ISO 8601."""
    start = datetime.datetime.fromisoformat(job["started"])
    end = start + datetime.timedelta(seconds=job["wall_s"])
    return tuple(t.astimezone(datetime.UTC).isoformat(timespec="seconds") for t in (start, end))


def add_job(crate, number, job, inputs, outputs, with_host):
    """The action of one job, and the step that it carried out; returns the two. job: facts of its run record."""
    start, end = moment(job)
    action = entity(
        crate,
        f"#job/{number}",
        "CreateAction",
        name=f"{job['script']}: {', '.join(entry['name'] for entry in outputs[:3])}{', ...' * (len(outputs) > 3)}",
        startTime=start,
        endTime=end,
        actionStatus=COMPLETED,
    )
    words = [f"device {job['device']}", f"threads {job['threads']}", f"configuration {job['config_hash']}"]
    words += [f"precision {job['precision']}"] if job.get("precision") else []
    words += [f"commit {job['git_commit']}{', with changes' * bool(job['git_dirty'])}"]
    words += [f"host {job['host']}"] if with_host else []
    action["description"] = "; ".join(words)
    action["instrument"] = crate.get(f"#step/{job['script']}")["workExample"]
    action["object"], action["result"] = one_or_all(inputs), one_or_all(outputs)
    for name, value, unit in (("cpuTime", job["cpu_s"], "SEC"), ("peakMemory", job["peak_memory_bytes"], "BYTE")):
        facts = {"name": name, "propertyID": name, "value": str(value), "unitCode": {"@id": UNITS + unit}}
        used = entity(crate, f"#job/{number}/{name}", "PropertyValue", **facts)
        action.append_to("resourceUsage", used)
    control = entity(crate, f"#control/{number}", "ControlAction", name=f"job {number}")
    control["instrument"], control["object"] = crate.get(f"#step/{job['script']}"), action
    return action, control


def add_run(crate, workflow, actions, controls, inputs, outputs, agent):
    """The run as a whole: an action of the workflow, and Snakemake, which organized the jobs. agent: an entity or None."""
    whole = entity(crate, "#run", "CreateAction", name="Run of the workflow")
    whole["description"] = f"{len(actions)} jobs, organized by Snakemake; of all runs whose results are told here"
    whole["instrument"], whole["object"], whole["result"] = workflow, one_or_all(inputs), one_or_all(outputs)
    whole["startTime"], whole["endTime"] = min(a["startTime"] for a in actions), max(a["endTime"] for a in actions)
    whole["actionStatus"] = COMPLETED
    organized = entity(crate, "#snakemake-run", "OrganizeAction", name="Snakemake ran the jobs")
    organized["instrument"], organized["result"], organized["object"] = (
        crate.get("#snakemake"),
        whole,
        one_or_all(controls),
    )
    organized["startTime"], organized["endTime"] = whole["startTime"], whole["endTime"]
    if agent:
        for action in (whole, organized, *actions):
            action["agent"] = agent
    crate.root_dataset.append_to("mentions", [whole, organized, *actions])
    return whole
