"""Tasks: a data set, its loss and the metrics of the field, the same for every framework."""
