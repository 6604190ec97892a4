"""What is measured against what, runnable by anyone who has the data."""
