"""What the figures of Guay et al. 2021 show: panels of images, labels, predictions and renderings."""

import itertools
import string

import paper_config

PAPER = paper_config.derive({**config, "ensembles": [ENSEMBLES[name] for name in RANKED]})
PUBLISHED = own("workflow", "published", f"{PAPER['published']}.csv")
P = f"{R}/paper"
SHOWN = {role: name for role, name in PAPER["regions"].items() if name}  # role -> region
COMPARED = list(dict.fromkeys(name for name in (PAPER["best_2d"], PAPER["best_3d"]) if name))
NAMED = list(dict.fromkeys(PAPER["ensembles"] + PAPER["singles"] + PAPER["baselines"]))
EVERY_ALGORITHM = list(dict.fromkeys([PAPER["main"], *COMPARED, *NAMED, *PAPER["poster"]]))


def reference_of(role):
    """The label source a region is shown and scored with: reference, or else the first annotator."""
    return references_of(SHOWN[role])[0]


def people():
    """The annotators of the compared region; with fewer than two of them, the reference too."""
    names = references_of(SHOWN["compare"]) if "compare" in SHOWN else []
    annotators = [name for name in names if name.startswith("annotator")]
    return annotators if len(annotators) > 1 else names


def place(role):
    """What a slice of a region needs: image, reference, mask, and the slice."""
    folder = f"{R}/regions/{SHOWN[role]}"
    return {
        "image": f"{folder}/image.ome.zarr",
        "reference": f"{folder}/labels_{reference_of(role)}.ome.zarr",
        "mask": REGIONS[SHOWN[role]]["mask"] == "reference",
        "z": PAPER["slices"][role],
    }


def image_panel(role, title):
    return {**place(role), "title": title}


def reference_panel(role, title="reference"):
    return {**place(role), "title": title, "labels": place(role)["reference"], "mask": False}


def algorithm_panel(role, ensemble, kind, title=None):
    folder, chosen = f"{R}/predictions/{SHOWN[role]}/{ensemble}", f"{R}/ensembles/{ensemble}/chosen.json"
    title = title or f"{ensemble}, {'best single' if kind == 'single' else kind}".replace("_", " ")
    return {**place(role), "title": title, "folder": folder, "chosen": chosen, "kind": kind}


def rendering_panel(role, source, subject=TOGETHER, title=None):
    picture = f"{R}/renderings/{SHOWN[role]}/{source}/{subject}.png"
    return {"picture": picture, "title": (title or f"{source}: {subject}").replace("_", " ")}


def lettered(rows, letters=string.ascii_lowercase):
    """Rows of panels with letters, one after the other; 26 letters are enough for every figure here."""
    letters = iter(letters)
    return [[{**panel, "letter": next(letters, "")} for panel in row] for row in rows if row]


def in_rows(panels, n):
    return [panels[i : i + n] for i in range(0, len(panels), n)]


def slices_and_labels():
    """Figure 1: image and labels of each role's region."""
    pairs = [[image_panel(role, f"{role} image"), reference_panel(role, f"{role} labels")] for role in SHOWN]
    return lettered(in_rows(list(itertools.chain(*pairs)), 4))


def overview_panels():
    """Figure 3, a to j: a slice of subject 1 and its segmentation; test; the compared region."""
    train_volume = REGIONS[SHOWN["train"]]["volume"] if "train" in SHOWN else None
    rows = []
    if (train_volume, PAPER["main"]) in FULL:
        image = f"{R}/aligned/{train_volume}/image.ome.zarr"
        labels = f"{R}/volumes/{train_volume}/{PAPER['main']}/labels.ome.zarr"
        titles = (f"{train_volume}, whole", f"{PAPER['main']} ensemble".replace("_", " "))
        rows.append([{"image": image, "title": titles[0]}, {"image": image, "labels": labels, "title": titles[1]}])
    elif "eval" in SHOWN:
        rows.append([image_panel("eval", "eval"), algorithm_panel("eval", PAPER["main"], "ensemble")])
    if "test" in SHOWN:
        sources = [(reference_of("test"), "reference")] + [(e, f"{e}, ensemble") for e in COMPARED]
        rows.append([image_panel("test", "test")] + [rendering_panel("test", s, title=t) for s, t in sources])
    if "compare" in SHOWN:
        sources = [(name, name) for name in people()] + [(PAPER["main"], f"{PAPER['main']}, ensemble")]
        rows.append([image_panel("compare", "compare")] + [rendering_panel("compare", s, title=t) for s, t in sources])
    return lettered(rows, "abcdefghij")


def renderings_of(role, sources):
    """Rows of renderings: one per source; all organelles, then each of them."""
    return [[rendering_panel(role, source, subject) for subject in SUBJECTS] for source in sources]


def every_algorithm():
    """Figure S2: image, labels, the single networks, the ensembles and the baselines on one eval slice."""
    rows = [[image_panel("eval", "eval"), reference_panel("eval")]]
    rows[0] += [algorithm_panel("eval", e, "single") for e in PAPER["singles"]]
    rows.append([algorithm_panel("eval", e, "ensemble") for e in PAPER["ensembles"]])
    rows.append([algorithm_panel("eval", e, "single") for e in PAPER["baselines"]])
    letters = [*string.ascii_lowercase[: len(rows[0]) + len(rows[1])]]
    after = "l" if letters and letters[-1] == "k" else ""  # the paper goes from k to m
    rest = [x for x in string.ascii_lowercase if x not in letters and x != after]
    return lettered([part for row in rows for part in in_rows(row, 6)], letters + rest)


PANELS = {"figure_1": slices_and_labels() if SHOWN else []}
if "eval" in SHOWN:
    renderings = renderings_of("eval", [reference_of("eval"), *COMPARED])
    PANELS["figure_s1"] = lettered([[image_panel("eval", "eval"), reference_panel("eval")], *renderings])
    PANELS["figure_s2"] = every_algorithm()
if "compare" in SHOWN:
    PANELS["figure_s3"] = lettered(renderings_of("compare", [*people(), PAPER["main"]]))


def files_of(rows):
    """The files and folders that panels read."""
    keys = ("image", "reference", "labels", "folder", "chosen", "picture")
    found = [panel[key] for row in rows for panel in row for key in keys if panel.get(key)]
    whole = f"{R}/volumes/"  # labels of a whole volume lie in the folder of a job
    found = [f.rsplit("/", 1)[0] if f.startswith(whole) else f for f in found]
    stores = [f for f in found if f.endswith(".zarr")]
    return list(dict.fromkeys(found + [f"{f}.json" for f in stores]))
