"""What a release is made of, and who vouches for it: its bill of materials and its signature."""
