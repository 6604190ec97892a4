"""Release zero: a model from good parts alone, with no training; its page, and what it can be judged by."""
