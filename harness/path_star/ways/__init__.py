"""Ways of training and of answering (`exp.objective`): one class in one file each, found by `roster`."""
