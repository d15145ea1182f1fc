"""Ground floor: decoders. Bytes in, fields out; no files, no sockets, no clock, no terminal."""
