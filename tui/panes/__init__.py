"""The three panes: packets, the tree of one, its bytes."""
