"""Apache ZooKeeper's client protocol, servers 3.4 to 3.9."""
