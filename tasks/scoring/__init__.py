"""Verdicts on new parts: the stream, explanations, examples, flips, accuracy and exported programs."""
