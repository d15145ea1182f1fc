"""One packet or one row as the user sees it."""
