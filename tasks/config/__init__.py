"""The settings of a run: frozen records that check themselves, presets, overrides and a sweep's search space."""
