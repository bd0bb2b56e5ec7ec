"""The networks: plain modules, and the same functions stacked, fused and compiled for ensembles."""
