"""What a model is worth: metrics, intervals, thresholds, the comparison with the champion and the gate."""
