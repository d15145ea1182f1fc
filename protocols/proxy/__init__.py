"""The PROXY protocol: what a load balancer says of the real client before the first bytes of a connection."""
