"""Configurations from strangers: whatever one holds, it is refused in words, quickly and in little memory, or it is used."""

import copy

import limits
import pytest
import workflow_runs as runs
import yaml
from hypothesis import given
from hypothesis import strategies as st

import config_text
import configuration

BASE = runs.read_config()
PRESETS = runs.REPO / "config" / "presets.yaml"

NASTY_TEXT = st.sampled_from(
    [
        "",
        " ",
        "a\n",
        "a; rm -rf b",
        "$(touch x)",
        "`touch x`",
        "it's",
        "-rf",
        "../../etc",
        "/",
        "{volume}",
        "{",
        "é",
        "\x00",
        "�",
        "null",
        "1e999",
        "a" * 5000,
        "{data_root}",
        "{results_dir}/phantom/",
        "*",
        "[",
        "**/*",
        "~nobody/x",
        "~",
    ]
)
NUMBERS = st.sampled_from([0, -1, 1, 2**31, 2**53 - 1, 2**64, 10**17, 0.0, -0.0, 1e308, float("inf"), float("nan")])
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, NASTY_TEXT, st.integers(-5, 100), st.text(max_size=8))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NASTY_TEXT | st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value, path=()):
    """The path of every key and list item below `value`."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(item, (*path, key))


PLACES = sorted(places(BASE), key=str)


def put(config, path, value):
    """Set the place at `path` where it still exists."""
    for key in path[:-1]:
        if not isinstance(config, (dict, list)) or (
            isinstance(config, list) and not (isinstance(key, int) and key < len(config))
        ):
            return
        config = config.get(key) if isinstance(config, dict) else config[key]
    if isinstance(config, dict) or (isinstance(config, list) and isinstance(path[-1], int) and path[-1] < len(config)):
        config[path[-1]] = value


@limits.FUZZ
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3))
def test_any_value_in_any_place_is_used_or_refused_in_words(changes):
    config = copy.deepcopy(BASE)
    for path, value in changes:
        put(config, path, value)
    with limits.bounded(seconds=10, n_bytes=10**9):
        try:
            configuration.prepare(config, PRESETS)
        except configuration.ConfigurationError as error:
            assert "config" in str(error)
            str(error).encode()  # halves of characters would break the message itself


@limits.FUZZ
@given(VALUES)
def test_any_value_in_place_of_a_configuration_is_refused_in_words(value):
    with limits.bounded(seconds=10, n_bytes=10**9), pytest.raises(configuration.ConfigurationError):
        configuration.prepare(value if isinstance(value, dict) else {"classes": value}, PRESETS)


# --------------------------------------------------------------------------------- files, before Snakemake reads them
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i}\n  <<: [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
HOSTILE = {
    "a program in Snakemake's templates": (
        "__use_yte__: true\n?__import__('os').system('touch pwned'): 1\n",
        "Python code",
    ),
    "the same key in quotes and escapes": ('"\\x5f_use_yte__": yes\n', "Python code"),
    "the same key behind an alias": ("a: &k __use_yte__\n*k : true\n", "Python code"),
    "a Python object": ("a: !!python/object/apply:os.system ['touch pwned']\n", "the tag"),
    "a name of Python": ("a: !!python/name:os.system\n", "the tag"),
    "a tag of the file's own": ("%TAG ! tag:yaml.org,2002:python/\n---\na: !object/apply:os.system [x]\n", "the tag"),
    "a billion laughs": (BOMB, "more than 300,000 values"),
    "a billion laughs in keys that are merged": (MERGES, "more than 300,000 values"),
    "a list that holds itself": ("a: &a [*a]\n", "something around it"),
    "a mapping that holds itself": ("a: &a {b: *a}\n", "something around it"),
    "an alias of nothing": ("a: *b\n", "or for nothing"),
    "deep lists": ("[" * 5000, "deep"),
    "deep lists in JSON": ("[" * 100_000 + "]" * 100_000, "deep"),
    "deep mappings": ("{a: " * 5000, "deep"),
    "a number of a million digits": ("a: " + "9" * 10**6, "number"),
    "the same in JSON": ('{"a": ' + "9" * 10**6 + "}", "number|digits"),
    "no text": ("\xff\xfe\x00\x80", "UTF-8"),
    "no YAML": ("a: [1\nb: }", "neither YAML nor JSON"),
}


def write_text(path, text):
    path.write_bytes(text.encode("latin-1"))
    return path


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_name_before_snakemake_reads_it(tmp_path, name):
    text, reason = HOSTILE[name]
    path = write_text(tmp_path / "stranger.yaml", text)
    with limits.bounded(seconds=10, n_bytes=2**28), pytest.raises(config_text.HostileText, match=reason) as caught:
        config_text.check_file(path)
    assert "stranger.yaml" in str(caught.value)
    with limits.bounded(seconds=10, n_bytes=2**28), pytest.raises(SystemExit, match=r"stranger\.yaml"):
        config_text.main(["--cores", "2", "--configfile", str(path), "-n"])


def test_snakemake_alone_runs_a_program_in_a_configuration(tmp_path):
    """Why run.sh looks first. When this fails, Snakemake has become safer: docs/security.md then says too much."""
    text = f"__use_yte__: true\na:\n  ?open({str(tmp_path / 'pwned')!r}, 'w').close() or 'x': 1\n"
    (tmp_path / "stranger.yaml").write_text(text)
    from snakemake.common.configfile import load_configfile

    load_configfile(tmp_path / "stranger.yaml")
    assert (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--configfile", "a.yaml", "b.yaml", "--cores", "2"),
        ("--configfiles", "a.yaml", "--configfile=b.yaml"),
        ("--cores", "2", "--configf", "a.yaml", "b.yaml"),
    ],
)
def test_configuration_files_are_found_among_the_arguments(arguments):
    assert config_text.config_files(arguments) == ["a.yaml", "b.yaml"]


@pytest.mark.parametrize(
    "path", [*runs.REPO.glob("config*.yaml"), *(runs.REPO / "config").glob("*.yaml")], ids=lambda p: p.name
)
def test_shipped_configurations_pass(path):
    config_text.check_file(path)


def test_aliases_of_a_sane_size_pass(tmp_path):
    config_text.check_file(write_text(tmp_path / "a.yaml", "a: &a {b: [1, 2]}\nc: *a\nd: {<<: *a, e: 1}\n"))


CHARACTERS = [*list("&*!{}[]:,-?|>%@`\"'#\n\t \\~0"), "&a ", "*a", "<<: ", "!!python/", "__use_yte__", ": "]


@limits.FUZZ
@given(
    st.lists(st.tuples(st.integers(0, 5000), st.sampled_from(CHARACTERS)), max_size=8),
    st.sampled_from([yaml.safe_dump(BASE)[:5000], ""]),
)
def test_what_passes_is_loaded_without_programs_quickly(tmp_path, changes, text):
    for place, inserted in changes:
        at = place % (len(text) + 1)
        text = text[:at] + inserted + text[at:]
    path = write_text(tmp_path / "stranger.yaml", text)
    with limits.bounded(seconds=10, n_bytes=2**28):
        try:
            config_text.check_file(path)
        except config_text.HostileText as error:
            assert "stranger.yaml" in str(error)
        else:
            yaml.safe_load(text)  # a safe loader takes all that passes


def test_values_that_share_are_counted_each_time():
    bomb = ["x"] * 10
    for _ in range(10):
        bomb = [bomb] * 10
    with limits.bounded(seconds=10, n_bytes=2**28), pytest.raises(configuration.ConfigurationError, match="300,000"):
        configuration.prepare({"classes": bomb}, PRESETS)
    circle = []
    circle.append(circle)
    with pytest.raises(configuration.ConfigurationError, match="deep"):
        configuration.prepare({"classes": circle}, PRESETS)


@pytest.mark.parametrize(
    "path, value, expected",
    [
        ("volumes[0].name", "a; rm -rf b", "a name of letters, digits and _ that starts with a letter"),
        ("volumes[0].name", "subject1\n", "one line of ordinary characters"),
        ("volumes[0].name", "a/../b", "a name of letters, digits and _"),
        ("volumes[0].path", "my {volume}.tif", "a path without braces"),
        ("volumes[0].path", "-rf/x.tif", "does not begin with a dash"),
        ("volumes[0].path", "a\nb.tif", "one line of ordinary characters"),
        ("results_dir", "{x}", "a path without braces"),
        ("results_dir", "-rf", "does not begin with a dash"),
        ("data_root", "a{b", "a path without braces"),
        ("device", "cpu; touch x", "one of auto, cpu, cuda"),
        ("threads.training", "1; touch x", "a whole number"),
        ("figures.colors.cell", "#ff0000; x", "a color"),
        ("figures.colors.cell", "#ff0000\n", "one line of ordinary characters"),
        ("regions[0].mask", "$(x)", "one of none, reference"),
        ("experiments[0].network", "os.system", "a name in the table of networks"),
    ],
)
def test_a_value_for_the_shell_or_for_wildcards_is_refused_with_its_key(path, value, expected):
    config = copy.deepcopy(BASE)
    runs.edit(config, path, value)
    with pytest.raises(configuration.ConfigurationError) as caught:
        configuration.prepare(config, PRESETS)
    assert path in str(caught.value) and expected in str(caught.value)


COUNTS = [
    "experiments[0].seeds",
    "experiments[0].options.base_width",
    "experiments[0].training.batch_size",
    "ensembles[0].random_draws",
    "prediction.slabs",
    "figures.slices_per_region",
    "phantom[0].shape[1]",
    "threads.training",
]


@pytest.mark.parametrize("path", COUNTS)
@pytest.mark.parametrize("number", [10**6, 2**53 - 1])
def test_a_number_that_things_are_made_by_is_bounded(path, number):
    config = copy.deepcopy(BASE)
    runs.edit(config, path, number)
    with (
        limits.bounded(seconds=10, n_bytes=2**28),
        pytest.raises(configuration.ConfigurationError, match="at most") as caught,
    ):
        configuration.prepare(config, PRESETS)
    assert path.split("[1]")[0] in str(caught.value)
