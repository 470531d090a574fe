"""Removal of small regions: what it does to every measure."""
