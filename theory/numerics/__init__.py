"""Numerical tools that know nothing of the model: roots, Chebyshev panels, level sets, Rodas5P."""
