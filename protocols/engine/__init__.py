"""What decoders are made of: fields, layouts, scalar types, cursors, codecs."""
