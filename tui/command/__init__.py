"""The command line and everything that works without a screen. Never imports Textual."""
