"""Modes and lots that a release learns from a few parts without training: what changes, and whether it may."""
