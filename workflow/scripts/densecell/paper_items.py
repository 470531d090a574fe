"""What each figure of Guay et al. 2021 (doi 10.1038/s41598-021-81590-0) shows, and how ours differs from theirs."""

from typing import NamedTuple


class Item(NamedTuple):
    """A figure of the paper: its title, a caption for ours, the rules behind it, what differs, why it can be missing."""

    title: str
    caption: str
    made_by: str
    differs: str
    missing: str = ""


SLICE = "The slice is the one with the most classes in the reference, unless paper.slices names another."
RENDERED = "Surfaces are rendered with PyVista from fixed directions; the paper's viewpoints and program are not known."
STAND_IN = (
    "The annotators' volumes of the paper are not public. On the phantom, simulated annotators stand in: its truth with "
    "errors of the kinds people make."
)
NO_COMPARISON = "No region has the role compare: the volumes that two annotators labelled are not public."
NO_TEST = "No region has the role test."
NO_EVAL = "No region has the role eval."

ITEMS = {
    "figure_1": Item(
        "Figure 1: the data",
        "A y-x slice of the image and of the labels of each region: train, eval, test, annotator comparison.",
        "plot_paper_panels",
        f"{SLICE} The paper's compared cell is not public; on the phantom, a part of subject 2 stands in.",
        "No region is configured.",
    ),
    "figure_2a": Item(
        "Figure 2a: the networks",
        "The layers of each experiment's network, array sizes along the top, channels at the sides.",
        "plot_network (one per experiment)",
        "Drawn from the network that was trained, for every experiment; the paper draws the 2D-3D+3x3x3 network alone.",
    ),
    "figure_2b": Item(
        "Figure 2b: single networks and their ensemble",
        "A test slice, its labels, the best single networks of the main ensemble (ranked on eval) and the ensemble at its "
        "eval-chosen k, with MIoU(org).",
        "plot_paper_members",
        f"MIoU(org) is of the whole test region. {SLICE} Where only one cell is labelled, predictions are shown inside it "
        "only, as they are scored.",
        NO_TEST,
    ),
    "figure_3": Item(
        "Figure 3: segmentations, scores and volume fractions",
        "(a, b) A slice of subject 1 and its segmentation. (c to f) A test slice; surfaces of the reference and of the best "
        "2D and 3D ensemble. (g to j) A slice of the compared region; surfaces of the annotators and of the main "
        "ensemble. (k) MIoU(org) of every algorithm on eval and test. (m) Volume fractions of the organelles.",
        "plot_paper_overview, render_surfaces, make_paper_tables, compute_volume_fractions",
        "(a, b) Subject 1 as a whole is not public: without it, the eval region is shown. (d to j) "
        f"{RENDERED} They show all that is predicted in the region, also outside a single labelled cell. "
        f"(g to j, m) {STAND_IN} (m) The algorithm counts within analysis.volume_fractions.margin_nm of the "
        'first annotator\'s cell; the paper says "a small region" around it.',
    ),
    "figure_4": Item(
        "Figure 4: cell against background",
        "An eval slice: reference, our ensemble, the probabilities of another program or ensemble and its best threshold.",
        "plot_foreground",
        "The paper compares with CDeep3M, which is another program: its volume can be given under "
        "analysis.foreground.external; without it, another ensemble of this run stands in. Probability above the "
        "threshold, strictly, is cell.",
        "analysis.foreground.regions is empty.",
    ),
    "figure_s1": Item(
        "Figure S1: eval in three dimensions",
        "An eval slice and its labels; surfaces of all organelles and of each, of the reference, the best 2D and the best 3D "
        "ensemble.",
        "plot_paper_panels, render_surfaces",
        f"{RENDERED} The dense core has a column of its own.",
        NO_EVAL,
    ),
    "figure_s2": Item(
        "Figure S2: every algorithm on one slice",
        "An eval slice, its labels, the 2D-3D networks (best single network each), the ensembles at their eval-chosen k, and "
        "the baselines.",
        "plot_paper_panels",
        f"{SLICE} The paper shows slice 4.",
        NO_EVAL,
    ),
    "figure_s3": Item(
        "Figure S3: annotators and algorithm in three dimensions",
        "Surfaces of all organelles and of each, of the annotators and of the main ensemble.",
        "plot_paper_panels, render_surfaces",
        f"{STAND_IN} {RENDERED} The dense core has a column of its own.",
        NO_COMPARISON,
    ),
    "figure_s4": Item(
        "Figure S4: who takes what for what",
        "Confusion matrices of the annotators and of the main ensemble; rows are the one named first and add up to 1.",
        "plot_annotators",
        STAND_IN,
        NO_COMPARISON,
    ),
    "figure_s5": Item(
        "Figure S5: distributions over seeds",
        "Peak eval MIoU(all) of every training run, per experiment.",
        "plot_network_comparison",
        "As many runs as the configuration has seeds; the paper trained 26 of each, and 500 of the U-Net.",
    ),
    "figure_s6": Item(
        "Figure S6: labels and error weights",
        "A slice of the train labels beside its error weights.",
        "plot_weight_map",
        "Weights by the formula of the paper's Methods. In the file the authors released, the edge term is about twice as "
        "large relative to the class balance.",
        "No region has the role train.",
    ),
}
