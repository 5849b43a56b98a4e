"""Published values and formulas, judged against ours: right, drifted, wrong (with the slip that explains it) or undecidable."""
