"""What pages are made of, and other texts for people: charts, tables, the model card, and the translation."""
