"""What the presets are worth on real inspection data."""
