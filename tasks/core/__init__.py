"""What every room needs: errors, results, stages, files, fingerprints, text, progress and worker processes."""
