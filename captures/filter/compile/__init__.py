"""From the syntax tree to tests on typed fields."""
