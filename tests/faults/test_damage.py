"""Every job refuses by name every input that is not what was written: flipped bits, cut files, lost sidecars.

One job of each rule is run by hand, in this process, with one of its inputs damaged. Either it names the file and writes
nothing, or what was damaged is nothing that it reads, and its outputs are those of the undisturbed run: a shard of which
it needs the shape only, or the sidecar of a phantom, which is imported like a user's file.
"""

import os
import random
import re

import pytest
import small_run
import workflow_runs as runs

pytestmark = pytest.mark.slow

SEED = 20261121
FAULTS = ("bit", "cut", "no sidecar", "sidecar")


def flip_a_bit(path, generator):
    """Flip one random bit of a file."""
    content = bytearray(path.read_bytes())
    content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    path.write_bytes(content)


def cut(path, generator):
    """Leave a random part of a file, from its beginning."""
    content = path.read_bytes()
    path.write_bytes(content[: generator.randrange(len(content))])


def parts_of(path):
    """The files of an input: itself, or of a store its metadata and one shard."""
    if path.is_file():
        return [path]
    shards = [p for p in sorted(path.rglob("c/**/*")) if p.is_file()]
    return [path / "zarr.json", path / "0" / "zarr.json", *shards[:1]]


def inputs_of(script, words, project):
    """The results that a command reads: arguments of the options that its script declares as inputs."""
    declared = re.findall(r'arguments\.input\(\s*"(\w+)"', (project / f"workflow/scripts/{script}.py").read_text())
    options = {"--" + name.replace("_", "-") for name in declared} | {"--slabs"}
    found, option = [], ""
    for word in words:
        option = word if word.startswith("--") else option
        path = project / word
        if option in options and word.startswith(small_run.RESULTS) and path.exists():
            # a slab's folder is known by the store in it
            found += [path / "labels.ome.zarr"] if option == "--slabs" else [path]
    return list(dict.fromkeys(found))


@pytest.fixture(scope="module")
def jobs(undisturbed):
    """{rule: (script, arguments)}, one job each."""
    found = {}
    for rule, script, words in small_run.commands(undisturbed):
        found.setdefault(rule, (script, words))
    assert set(small_run.STAGES) - {"rank_networks"} <= {script for script, _ in found.values()} | set(found)
    return found


def damaged_files(path, fault):
    """Which files of an input a fault can hit."""
    if fault in ("bit", "cut"):
        return parts_of(path)
    sidecar = path.with_name(path.name + ".json")
    return [sidecar] if sidecar.exists() else []


def test_no_job_takes_a_damaged_input_for_a_whole_one(copy, undisturbed, jobs, monkeypatch, capsys):
    generator, refused, harmless, n_inputs = random.Random(SEED), 0, [], 0
    monkeypatch.chdir(copy)
    for _, script, words in small_run.commands(undisturbed):
        if "--slab" in words:  # temporary outputs
            assert small_run.run_by_hand(script, words) is None
    expected = runs.compared_results(copy / small_run.RESULTS)
    for rule, (script, words) in jobs.items():
        for path in inputs_of(script, words, copy):
            n_inputs += 1
            for fault in FAULTS:
                for file in damaged_files(path, fault):
                    before, stat = file.read_bytes(), file.stat()
                    if fault == "no sidecar":
                        file.unlink()
                    else:
                        (cut if fault == "cut" else flip_a_bit)(file, generator)
                    error = small_run.run_by_hand(script, words)
                    file.write_bytes(before)
                    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
                    what = f"{rule}: {file.relative_to(copy)}, {fault}"
                    if error is None:
                        now = runs.compared_results(copy / small_run.RESULTS)
                        assert now == expected, f"{what}: was used, and the results differ"
                        is_unread = file == path or "/c/" in str(file) or "/phantom/" in str(path)
                        assert is_unread, f"{what}: was not noticed"
                        harmless.append(what)
                    else:
                        name = path.relative_to(copy).as_posix()
                        assert name in str(error) and ("elete" in str(error)), f"{what}: {error}"
                        refused += 1
    assert runs.compared_results(copy / small_run.RESULTS) == expected
    with capsys.disabled():
        print(f"\nseed {SEED}: {n_inputs} inputs of {len(jobs)} rules, {refused} faults refused by name, ", end="")
        print(f"{len(harmless)} hit nothing that is read: {harmless}")
