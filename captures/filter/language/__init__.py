"""The text of a filter: tokens, syntax tree, macros, errors with their places."""
