"""Measurements on trained networks, each with its interval."""
