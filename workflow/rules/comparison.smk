"""Networks against each other: distributions over seeds, intervals, and what ensembles gain with their size."""
