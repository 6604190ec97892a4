"""What every room needs: errors, results, stages, files, text and progress."""
