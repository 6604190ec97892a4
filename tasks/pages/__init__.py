"""The HTML pages, of the templates in `templates/`: report, verdicts, drift, labels to check."""
