"""Releases on disk and on the Hub: manifests, the champion, frozen test sets, loading and pruning."""
