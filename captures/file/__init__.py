"""Capture files: opened, decompressed, scanned for packets, saved."""
