"""The arrows between the parts point down only, and every script looks the same from outside."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
RULES, SCRIPTS = REPO / "workflow" / "rules", REPO / "workflow" / "scripts"
LIBRARY = SCRIPTS / "densecell"
MODULES = {str(p.relative_to(LIBRARY).with_suffix("")): p for p in sorted(LIBRARY.rglob("*.py"))}
HELPERS = {
    "command_line",
    "contents_input",
    "crate_code",
    "crate_entities",
    "extraction",
    "figure_output",
    "gpu_choice",
    "held_out_output",
    "object_output",
    "object_pictures",
    "paper_output",
    "progress",
    "rendering_output",
    "run_record",
    "training_inputs",
    "watchdog",
}  # modules that scripts share
OUTSIDE_RULES = {"verify_results", "explain_result", "check_setup", "export_crate", "finish_report"}  # run by ./run.sh
SCRIPT_NAMES = sorted({p.stem for p in SCRIPTS.glob("*.py")} - HELPERS)

ON_TORCH = {
    "augmentation",
    "blend_choice",
    "blending",
    "budget",
    "checkpoints",
    "devices",
    "evaluation",
    "losses",
    "outputs",
    "prediction",
    "sampling",
    "snapshots",
    "tile_choice",
    "training",
}
ON_FILES = {
    "io",
    "raw_formats",
    "source_files",
    "foreign_stores",
    "files",
    "mesh_files",
    "slab_state",
    "checkpoints",
    "snapshots",
    "archives",
    "downloads",
    "passport",
    "verification",
}  # the only modules that touch the disk
FORBIDDEN = {"argparse", "snakemake", "command_line", "progress", "figure_output", "paper_output"}


def tree(path):
    return ast.parse(path.read_text(), filename=str(path))


def imports(path):
    """Every imported module, dotted; `from densecell import io` gives densecell.io."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports in this project are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def packages(path):
    return {name.split(".")[0] for name in imports(path)}


def library_modules(path):
    """Modules of the library that a file imports: io, networks, ..."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("densecell.")} & {
        name.split("/")[0] for name in MODULES
    }


def uses_torch(name):
    return name in ON_TORCH or name.startswith("networks/")


@pytest.mark.parametrize("name", MODULES)
def test_library_knows_neither_snakemake_nor_command_lines(name):
    assert not packages(MODULES[name]) & FORBIDDEN


@pytest.mark.parametrize("name", MODULES)
def test_only_io_and_raw_formats_read_image_formats(name):
    if name not in ("io", "raw_formats", "foreign_stores"):
        assert not packages(MODULES[name]) & {"zarr", "tifffile", "imagecodecs", "imageio", "PIL"}


@pytest.mark.parametrize("name", MODULES)
def test_torch_stays_in_its_modules_and_below_it_nothing_needs_it(name):
    if not uses_torch(name):
        assert not packages(MODULES[name]) & {"torch", "safetensors"}
        assert not {m for m in library_modules(MODULES[name]) if m in ON_TORCH or m == "networks"}


def test_reading_the_table_of_networks_needs_no_torch():
    assert "torch" not in packages(LIBRARY / "networks" / "__init__.py")


@pytest.mark.parametrize("name", MODULES)
def test_only_the_storage_modules_touch_the_disk(name):
    if name in ON_FILES:
        return
    assert not library_modules(MODULES[name]) & ON_FILES
    calls = {
        n.func.id for n in ast.walk(tree(MODULES[name])) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    assert not calls & {"open", "print", "input"}


def test_no_circle_of_imports_in_the_library():
    edges = {name: library_modules(path) - {name.split("/")[0]} for name, path in MODULES.items() if "/" not in name}
    edges["networks"] = set().union(*(library_modules(p) for n, p in MODULES.items() if n.startswith("networks/")))
    edges["networks"] -= {"networks"}
    done = set()
    while ready := {name for name, below in edges.items() if name not in done and below <= done}:
        done |= ready
    assert set(edges) - done == set()


@pytest.mark.parametrize("path", sorted(RULES.glob("*.py")), ids=lambda p: p.stem)
def test_rules_import_neither_the_library_nor_array_packages(path):
    assert not packages(path) & {"densecell", "numpy", "torch", "zarr", "pandas", "scipy", "skimage"}


@pytest.mark.parametrize("path", [REPO / "workflow" / "Snakefile", *sorted(RULES.glob("*.smk"))], ids=lambda p: p.name)
def test_snakefiles_do_not_import_the_library(path):
    assert not re.search(r"(?m)^\s*(import|from)\s+(densecell|numpy|torch|pandas)\b", path.read_text())


def test_helpers_of_the_rules_stay_short():
    assert len((RULES / "common.smk").read_text().splitlines()) < 200


@pytest.mark.parametrize("name", SCRIPT_NAMES)
def test_script_has_help_and_a_main_that_tests_can_call(name):
    module = tree(SCRIPTS / f"{name}.py")
    assert ast.get_docstring(module)
    main = next((n for n in module.body if isinstance(n, ast.FunctionDef) and n.name == "main"), None)
    assert main and [a.arg for a in main.args.args] == ["argv"] and ast.literal_eval(main.args.defaults[0]) is None


def test_every_script_has_a_rule_and_every_rule_its_script():
    called = set()
    for path in RULES.glob("*.smk"):
        called |= set(re.findall(r"\{SCRIPTS\}/(\w+)\.py", path.read_text()))
    assert called | OUTSIDE_RULES == set(SCRIPT_NAMES)


@pytest.mark.parametrize("path", sorted(RULES.glob("*.smk")), ids=lambda p: p.name)
def test_every_script_of_a_rule_is_in_its_code_hash(path):
    for block in re.split(r"(?m)^rule ", path.read_text())[1:]:
        scripts = set(re.findall(r"\{SCRIPTS\}/(\w+)\.py", block))
        assert scripts <= set(re.findall(r'code\(\s*"(\w+)"', block)), block.split(":")[0]


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_and_classes_are_explained(name):
    module = tree(MODULES[name])
    public = [n for n in module.body if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and not n.name.startswith("_")]
    assert not module.body or ast.get_docstring(module)
    assert [node.name for node in public if not ast.get_docstring(node)] == []


def test_no_large_file_is_tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    sizes = {f: (REPO / f).stat().st_size for f in listed.stdout.split("\0") if f and (REPO / f).is_file()}
    assert {f: n for f, n in sizes.items() if n > 1_000_000} == {}
