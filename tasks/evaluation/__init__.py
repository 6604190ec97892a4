"""What a model is worth: metrics, intervals, thresholds, leakage, labels to check and costs."""
