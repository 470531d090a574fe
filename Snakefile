"""densecell: segmentation of 3D electron microscopy and the numbers that come from it. See README.md."""

from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/preprocessing.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/ensembling.smk"
include: "workflow/rules/prediction.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/comparison.smk"
include: "workflow/rules/foreground.smk"
include: "workflow/rules/postprocessing.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/renderings.smk"
include: "workflow/rules/paper.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        TABLES,
        FULL_VOLUMES,
        COMPARISON_TABLES,
        COMPARISON_FIGURES,
        FOREGROUND_OUTPUTS,
        SMALL_REGION_OUTPUTS,
        ANNOTATOR_OUTPUTS,
        FIGURES,
        WEIGHT_MAP_COMPARISONS,
