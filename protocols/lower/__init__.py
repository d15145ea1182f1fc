"""The link, network and transport layers."""
