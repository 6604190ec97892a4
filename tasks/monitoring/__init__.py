"""Whether new parts differ from the release's training parts: reference, control charts and drift tests."""
