"""Where tables come from: the Hub, files and folders, archives, and addresses of object stores."""
