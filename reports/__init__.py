"""From results on disk to a comparison that a reader can check: tables, verdicts with intervals, one page.

This room knows files only: asv's results and the run manifests. It imports neither the programs nor the suites.
"""
