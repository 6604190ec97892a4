"""Kensa retrains the Siamese model with which a factory inspects its parts."""
