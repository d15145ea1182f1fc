"""DNS over UDP and TCP (RFC 1035 and its extensions), with the forms of mDNS."""
