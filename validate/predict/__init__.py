"""Predictions of what networks will do, made before they are trained."""
