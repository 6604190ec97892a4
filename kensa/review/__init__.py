"""The page on which people decide labels, served to a browser on this machine."""
