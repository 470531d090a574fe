"""The tables and figures of Guay et al. 2021: optional target `paper_figures`."""
