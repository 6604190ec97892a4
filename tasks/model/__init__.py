"""The Siamese model: tower, distances, losses, batches, training, and the classifier made of them."""
