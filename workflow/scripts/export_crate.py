"""Export a run as an RO-Crate: results, code and configuration, and how each result was made (profile Provenance Run Crate).

Tables, figures, the report, checkpoints and the other files of the results go in; volumes, and files above --largest-mb, are told by
name and SHA-256 (--with-volumes: they go in too). Paths of this machine, and its name unless --with-host, stay out. Written as
a whole or not at all, a zip archive or, where --output does not end with .zip, a folder.
"""

import argparse
import sys
import tempfile
import zipfile
from pathlib import Path

import yaml
from rocrate.rocrate import ROCrate

import crate_code
import crate_entities as entities
from command_line import run
from crate_code import PROJECT, tells_of_the_machine, without_paths
from densecell import costs, files, passport

NO_LICENSE = "No license was given for these results: ask those who made them."


# ----------------------------------------------------------------------------------------------------------- content
class Export:
    """The crate of one results folder while it is made. temporary: a folder for files that are changed before they go in."""

    def __init__(self, args, temporary):
        self.args, self.folder, self.temporary = args, Path(args.results), temporary
        self.results, self.crate = passport.Results(self.folder), ROCrate(version="1.1")
        self.left_out, self.entries = [], {}
        configurations = [yaml.safe_load(p.read_text()) for p in (self.folder / passport.RUN).glob("config.*.yaml")]
        self.private = crate_code.folders_of_the_machine(self.results.records.values(), configurations)
        if not self.results.records:
            raise ValueError(
                f"{self.folder}: expected run records (*.run.json), which each job writes, found none. "
                "Run densecell first, or give the folder of a run with --results."
            )

    def add_data(self, path):
        """The entity of a result: its file in the crate, or its name and hash."""
        if path in self.entries:
            return self.entries[path]
        place, step = self.folder / path, self.results.step(path)
        content = step.content if step else ""
        if place.is_file() and self._goes_in(path):
            entry = entities.add_file(self.crate, place, f"results/{path}", sha256=files.hash_file(place))
        elif place.is_dir() and step and step.kind == "output" and self.args.with_volumes:
            entry = self.crate.add_dataset(place, f"results/{path}", properties={"name": path, "sha256": content})
        else:
            facts = {"name": path, "sha256": content, "description": "a result that is not in this crate"}
            entry = entities.entity(self.crate, f"#results/{path}", "CreativeWork", **facts)
        self.entries[path] = entry
        if step and step.kind == "folder":  # its contents have actions of their own
            entry["hasPart"] = entities.one_or_all([self.add_data(inner) for inner in self.results.outputs_in(path)])
        return entry

    def _goes_in(self, path):
        place = self.folder / path
        reason = ""
        if not self.args.with_volumes and place.suffix in (".tif", ".tiff"):
            reason = "a volume"
        elif place.stat().st_size > self.args.largest_mb * 1e6:
            reason = f"larger than {self.args.largest_mb:g} MB"
        elif tells_of_the_machine(place, self.private):
            reason = "names a folder of this machine"
        if reason:
            self.left_out.append(f"{path}: {reason}")
        return not reason

    def add_input(self, path, content):
        """The entity of a parent: a result, or raw data by its name and hash."""
        inside = self.results.relative(path)
        if inside is not None:
            return self.add_data(inside)
        name = Path(path).name
        facts = {"name": name, "sha256": content, "description": "data that the run was given; not in this crate"}
        return entities.entity(self.crate, f"#input/{content[:16]}/{name}", "CreativeWork", **facts)

    # ------------------------------------------------------------------------------------------------------ the crate
    def add_configurations(self, workflow):
        """The resolved configurations that jobs ran with, as inputs of the workflow."""
        used = {r["config_hash"] for r in self.results.records.values()}
        added = []
        for source in sorted((self.folder / passport.RUN).glob("config.*.yaml")):
            if source.name.split(".")[1] in used:
                shown = self.temporary / source.name
                text = yaml.safe_dump(without_paths(yaml.safe_load(source.read_text())), sort_keys=False)
                shown.write_text(text)
                added.append(entities.add_file(self.crate, shown, source.name))
        if added:
            facts = {"name": "configuration", "additionalType": "File", "valueRequired": True}
            parameter = entities.entity(self.crate, "#parameter/configuration", "FormalParameter", **facts)
            parameter["conformsTo"] = {"@id": f"{entities.BIOSCHEMAS}FormalParameter/1.0-RELEASE"}
            parameter["workExample"], workflow["input"] = entities.one_or_all(added), parameter
            for configuration in added:
                configuration["exampleOfWork"] = parameter
        return added

    def add_agent(self):
        """Who ran it, where that was given."""
        if not self.args.agent:
            return None
        name = self.args.agent
        agent = entities.entity(self.crate, self.args.orcid or "#agent", "Person", name=name)
        self.crate.root_dataset["author"] = agent
        return agent

    def jobs(self):
        """[(facts of a job, its parents, its outputs)] in the order of time; outputs of one process are one job."""
        found = {}
        for path, record in self.results.records.items():
            for facts, output in [(record, path), *[(p, None) for p in record.get("parts") or []]]:
                _, parents, outputs = found.setdefault(costs.process_of(facts), (facts, {}, []))
                if output:
                    parents.update(record["record"]["parents"])
                outputs.append(output or self.results.relative(facts["output"]) or Path(facts["output"]).name)
        return sorted(found.values(), key=lambda job: (job[0]["started"], job[0]["script"]))

    def build(self):
        """Put everything into the crate."""
        root, args = self.crate.root_dataset, self.args
        entities.prepare(self.crate)
        root["name"] = args.name or f"densecell run {self.folder.resolve().name}"
        root["description"] = (
            "A run of densecell: segmentation of 3D electron microscopy, its numbers, and how each was made."
        )
        root["license"] = {"@id": args.license} if args.license.startswith("http") else args.license
        if args.license.startswith("http"):
            entities.entity(self.crate, args.license, "CreativeWork", name=args.license)
        jobs, hashes = self.jobs(), {}
        for record in self.results.records.values():
            for facts in [record, *(record.get("parts") or [])]:
                hashes.setdefault(facts["script"], set()).add(record["record"]["code"] or "unknown")
        scripts = list(dict.fromkeys(facts["script"] for facts, _, _ in jobs))
        places = {script: f"workflow/scripts/{script}.py" for script in scripts}
        records = list(self.results.records.values())
        workflow, left_out = crate_code.add_code(self.crate, records, set(places.values()), self.private)
        self.left_out += left_out
        crate_code.add_software(self.crate, workflow, records)
        tools = {s: (PROJECT / places[s], places[s], crate_code.does(PROJECT / places[s]), hashes[s]) for s in scripts}
        entities.add_tools(self.crate, workflow, scripts, tools)
        configurations = self.add_configurations(workflow)
        actions, controls, made, given = [], [], [], {}
        for number, (facts, parents, outputs) in enumerate(jobs, 1):
            inputs = [self.add_input(path, content) for path, content in parents.items()]
            inputs += [c for c in configurations if c.id == f"config.{facts['config_hash']}.yaml"]
            given |= {entry.id: entry for entry in inputs if entry.id.startswith("#input/")}
            results = [self.add_data(path) for path in outputs]
            action, control = entities.add_job(self.crate, number, facts, inputs, results, args.with_host)
            actions.append(action)
            controls.append(control)
            made += results
        made += [self.add_data(path) for path in ("report.html",) if (self.folder / path).is_file()]
        inputs = [*configurations, *given.values()]
        entities.add_run(self.crate, workflow, actions, controls, inputs, made, self.add_agent())
        return self


def write(crate, output):
    """Write the crate as a zip archive or a folder, whole or not at all."""
    archive = output.suffix == ".zip"
    with files.writing(output, folder=not archive) as partial:
        if archive:
            crate.write_zip(partial)
        else:
            crate.write(partial)


def check_output(output, results):
    """Raise ValueError for an output that would take the place of something that is no crate."""
    output, results = output.resolve(), Path(results).resolve()
    if output in (results, *results.parents):
        raise ValueError(f"--output: {output} holds the results. Give a new folder or an archive (.zip).")
    is_crate = zipfile.is_zipfile(output) if output.suffix == ".zip" else (output / "ro-crate-metadata.json").exists()
    if output.exists() and not is_crate:
        raise ValueError(f"--output: {output} exists and is no crate. Give a new name, or remove it.")


def results_dir(configurations):
    """The results folder that a run with these configuration files writes into."""
    found = "results"
    for path in [PROJECT / "config.yaml", *configurations]:
        found = (yaml.safe_load(Path(path).read_text()) or {}).get("results_dir", found)
    return found


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", nargs="+", default=[], help="configuration files of the run, as given to it")
    parser.add_argument("--results", help="folder of the results, in place of --configfile")
    parser.add_argument("--output", help="archive or folder to write (default: crate.run.zip in the results)")
    parser.add_argument("--name", help="title of the crate")
    parser.add_argument(
        "--license", default=NO_LICENSE, help="license of the results: an address, best of spdx.org, or words"
    )
    parser.add_argument("--agent", help="name of who ran it")
    parser.add_argument("--orcid", help="their ORCID, such as https://orcid.org/0000-0002-1825-0097")
    parser.add_argument("--with-volumes", action="store_true", help="put volumes in too")
    parser.add_argument("--largest-mb", type=float, default=100, help="largest file that goes in, MB (default 100)")
    parser.add_argument("--with-host", action="store_true", help="tell the names of the machines that jobs ran on")
    args = parser.parse_args(argv)

    args.results = args.results or results_dir(args.configfile)
    output = Path(args.output or Path(args.results) / "crate.run.zip")
    check_output(output, args.results)
    with tempfile.TemporaryDirectory() as temporary:
        export = Export(args, Path(temporary)).build()
        write(export.crate, output)
    for text in export.left_out:
        print(f"not in the crate: {text}", file=sys.stderr)
    print(f"densecell: {output}, {len(export.jobs())} jobs")


if __name__ == "__main__":
    run(main)
