"""The display filter: Wireshark's language, compiled to numpy over the index and to tests over dissected packets.

`compile_filter` makes a `Filter` of a text; `FilterRun` finds the packets of a capture that it shows.
"""
from captures.filter.compile.compiled import Filter, compile_filter
from captures.filter.compile.expression import compile_expression
from captures.filter.language.errors import FilterError, Fix, Trap
from captures.filter.run.at_once import shown_at_once
from captures.filter.run.computed import computed
from captures.filter.run.run import FilterRun
from captures.values.field_names import Names

__all__ = ["Filter", "FilterError", "FilterRun", "Fix", "Names", "Trap", "compile_expression", "compile_filter", "computed", "shown_at_once"]
