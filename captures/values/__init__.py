"""Values of fields of many packets or messages at once, whichever way is the cheapest, and kept."""
