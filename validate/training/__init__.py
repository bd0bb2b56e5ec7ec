"""What a run is, how ensembles of runs are trained, and where their results are kept."""
