"""The main screen: packet list, dissection tree, bytes."""
