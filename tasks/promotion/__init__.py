"""Champion against challenger: the comparison on the same records, and the gate that decides on a release."""
