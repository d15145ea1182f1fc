"""A capture as text, tables and JSON: what the command line prints. Every module yields pieces of text; who writes them is not its business."""
