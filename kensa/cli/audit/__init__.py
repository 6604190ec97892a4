"""Commands for audits: who did what to the models of a line, when and why, and which model judged a part."""
