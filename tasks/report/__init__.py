"""What people read: pages, charts, the model card, and their translation."""
