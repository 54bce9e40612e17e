"""Tasks: a data set, its loss and the metrics of the field, the same for every framework.

The losses' formulas stand in impls/frameworks/losses_*.py, a function for each task.
"""

AUXILIARY_WEIGHT = 0.4  # of an auxiliary classifier's loss, as in the published trainings of InceptionV3
