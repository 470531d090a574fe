"""What changes the hash of a script's code, and what does not."""

from pathlib import Path

import pytest

import code_hash

REPO = Path(__file__).resolve().parents[2]
SCRIPTS = REPO / "workflow" / "scripts"

PROJECT = {
    "train.py": '"""Train."""\nfrom shared import run\nfrom densecell import io, math_of\n'
    "from densecell.networks import build_network\n\n\ndef main(argv=None):\n    return math_of.double(io.read())\n",
    "other.py": "from densecell import io\n\n\ndef main(argv=None):\n    return io.read()\n",
    "shared.py": "def run(main):\n    main()\n",
    "densecell/__init__.py": '"""A library."""\n',
    "densecell/io.py": "from densecell import deep\n\n\ndef read():\n    return deep.FACTOR\n",
    "densecell/deep.py": "FACTOR = 3\n",
    "densecell/math_of.py": 'def double(x):\n    """Twice x."""\n    return 2 * x  # cheap\n',
    "densecell/unused.py": "VALUE = 1\n",
    "densecell/networks/__init__.py": '"""Table."""\nimport importlib\n\n'
    'NETWORKS = {"a": ("net_a", "A"), "b": ("net_b", "B")}\n\n\n'
    'def build_network(name):\n    return importlib.import_module("densecell.networks." + NETWORKS[name][0])\n',
    "densecell/networks/blocks.py": "WIDTH = 4\n",
    "densecell/networks/net_a.py": "from densecell.networks.blocks import WIDTH\n\n\nclass A:\n    width = WIDTH\n",
    "densecell/networks/net_b.py": "class B:\n    pass\n",
}


@pytest.fixture
def project(tmp_path):
    for name, text in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture
def changes(project):
    """Whether replacing a text in a file changes the hash of a script."""

    def measure(file, old, new, script="train", networks=("a",)):
        code_hash._parse.cache_clear()
        before = code_hash.code_hash(script, project, networks)
        text = (project / file).read_text()
        assert old in text
        (project / file).write_text(text.replace(old, new))
        code_hash._parse.cache_clear()
        return code_hash.code_hash(script, project, networks) != before

    yield measure
    code_hash._parse.cache_clear()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("train.py", '"""Train."""', '"""Train one network."""'),
        ("densecell/math_of.py", '    """Twice x."""\n', ""),
        ("densecell/math_of.py", "  # cheap", "  # costs nothing"),
        ("densecell/math_of.py", "2 * x", "(2\n            * x)"),
        ("densecell/io.py", "\n\n\ndef", "\n\n\n\n# reading\ndef"),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(changes, file, old, new):
    assert not changes(file, old, new)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("train.py", "double", "triple"),
        ("shared.py", "main()", "main([])"),
        ("densecell/math_of.py", "2 * x", "3 * x"),
        ("densecell/math_of.py", "2 * x", "x * 2"),
        ("densecell/deep.py", "3", "4"),
        ("densecell/networks/__init__.py", '"densecell.networks."', '"densecell." + "networks."'),
        ("densecell/networks/net_a.py", "width = WIDTH", "width = 2 * WIDTH"),
        ("densecell/networks/blocks.py", "4", "8"),
    ],
    ids=lambda value: value if value.endswith(".py") else None,
)
def test_code_counts_in_the_script_and_in_all_it_imports(changes, file, old, new):
    assert changes(file, old, new)


def test_a_string_that_is_no_docstring_counts(changes):
    assert changes("train.py", "return math_of", 'argv = "a"\n    return math_of')


def test_modules_a_script_does_not_import_do_not_count(changes):
    assert not changes("densecell/unused.py", "1", "2")
    assert not changes("densecell/math_of.py", "2 * x", "3 * x", script="other")
    assert not changes("densecell/networks/net_a.py", "width", "breadth", script="other")


def test_a_new_network_leaves_the_others_alone(changes):
    assert not changes("densecell/networks/__init__.py", '"b":', '"c": ("net_c", "C"), "b":')


def test_another_networks_module_and_table_line_do_not_count(changes):
    assert not changes("densecell/networks/net_b.py", "pass", "width = 1")
    assert not changes("densecell/networks/__init__.py", '("net_b", "B")', '("net_b", "B2")')


def test_the_named_networks_table_line_counts(changes):
    assert changes("densecell/networks/__init__.py", '("net_a", "A")', '("net_a", "A2")')
    assert changes("densecell/networks/net_b.py", "pass", "width = 1", networks=("a", "b"))


def test_files_covered_are_listed(project):
    assert code_hash.files_of("train", project, ("a",)) == [
        "densecell/__init__.py",
        "densecell/deep.py",
        "densecell/io.py",
        "densecell/math_of.py",
        "densecell/networks/__init__.py",
        "densecell/networks/blocks.py",
        "densecell/networks/net_a.py",
        "shared.py",
        "train.py",
    ]


def test_the_hash_does_not_depend_on_where_the_project_lies(project, tmp_path):
    copy = tmp_path / "elsewhere"
    for name in PROJECT:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text((project / name).read_text())
    assert code_hash.code_hash("train", copy, ("a",)) == code_hash.code_hash("train", project, ("a",))


def test_training_covers_its_network_and_not_the_other():
    files = code_hash.files_of("train_network", SCRIPTS, ("hybrid_2d3d_333",))
    assert {"train_network.py", "command_line.py", "densecell/losses.py", "densecell/windows.py"} <= set(files)
    assert "densecell/networks/hybrid_2d3d.py" in files and "densecell/networks/blocks.py" in files
    assert "densecell/networks/unet_2d.py" not in files and "densecell/weight_maps.py" not in files
