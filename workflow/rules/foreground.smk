"""Cell or not: threshold sweeps of probability volumes, ours and others', and how well borders are kept."""
