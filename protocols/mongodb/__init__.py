"""MongoDB: every opcode, every BSON type, and what the server meant."""
