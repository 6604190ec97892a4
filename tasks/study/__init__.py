"""Attribute agreement studies: which parts inspectors and a release judge again, and how well they agree."""
