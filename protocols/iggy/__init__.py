"""Apache Iggy's binary protocol, servers 0.4 to 0.9: the classic framing in four generations, and the VSR framing."""
