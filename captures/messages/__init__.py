"""Messages: streams recognised, cut, paired, and what is known of each message as columns."""
