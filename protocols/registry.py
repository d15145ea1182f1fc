"""Which decoders there are: the built-in ones, installed ones (entry points), and single Python files of the user's.

Built-in decoders are named in a table and imported when they are first asked for; plugins are loaded then too. A plugin that cannot be
loaded, or that takes a name which is in use, is left out and said so in `problems`; it never takes the program down.
"""
from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from protocols.decoder import Decoder, Framing

__all__ = ["BUILT_IN", "GROUP", "Registry"]

BUILT_IN = {
    "dns": "protocols.dns.decoder:DNS",
    "http": "protocols.http1.decoder:HTTP",
    "iggy": "protocols.iggy.decoder:Iggy",
    "kafka": "protocols.kafka.decoder:Kafka",
    "mongo": "protocols.mongodb.decoder:MongoDB",
    "proxy": "protocols.proxy.decoder:Proxy",
    "rocketmq": "protocols.rocketmq.decoder:RocketMQ",
    "rocketmq_ha": "protocols.rocketmq.ha:RocketMQHA",
    "websocket": "protocols.websocket.decoder:WebSocket",
    "zookeeper": "protocols.zookeeper.decoder:ZooKeeper",
}
"""Filter name -> "module:class"."""
GROUP = "protoview.protocols"


class Registry:
    """Decoders by filter name. `files` are plugin files that the user named, `folder` holds more of them (*.py; it need not exist).
    `built_in` is another table than BUILT_IN, for tests."""

    def __init__(self, files: Iterable[Path | str] = (), folder: Path | None = None, installed: bool = True, built_in: dict[str, str] | None = None) -> None:
        self.problems: list[str] = []
        """One line each: which plugin failed, and why."""
        self._built_in = dict(BUILT_IN if built_in is None else built_in)
        self._files = [Path(file) for file in files]
        self._folder = folder
        self._installed = installed
        self._made: dict[str, Decoder] = {}
        self._failed: set[str] = set()
        self._plugged = False

    def get(self, name: str) -> Decoder:
        """The decoder with this filter name. Raises KeyError."""
        if name in self._built_in:
            self._build(name)
        elif name not in self._made:
            self._plug()
        return self._made[name]

    def decoders(self) -> list[Decoder]:
        """All decoders: the built-in ones in the order of their table, then plugins in the order of loading."""
        for name in self._built_in:
            self._build(name)
        self._plug()
        return [self._made[name] for name in self._built_in if name in self._made] + [one for name, one in self._made.items() if name not in self._built_in]

    def _build(self, name: str) -> None:
        if name in self._made or name in self._failed:
            return
        module, _, cls = self._built_in[name].partition(":")
        try:
            self._made[name] = getattr(importlib.import_module(module), cls)()
        except Exception as fault:
            self._failed.add(name)
            self.problems.append(f"protocol {name}: {_said(fault)}")

    def _plug(self) -> None:
        """Load every plugin, once."""
        if self._plugged:
            return
        self._plugged = True
        if self._installed and _any_installed():
            from importlib.metadata import entry_points  # its import takes longer than all decoders': only where there is something to load

            for entry in entry_points(group=GROUP):
                try:
                    found = entry.load()
                    classes = _classes(found) if isinstance(found, ModuleType) else [found]
                except (Exception, SystemExit) as fault:
                    self.problems.append(f"plugin {entry.name}: {_said(fault)}")
                else:
                    self._add(f"plugin {entry.name}", classes)
        for file in self._files + self._in_folder():
            self._load(file)

    def _in_folder(self) -> list[Path]:
        try:
            return sorted(self._folder.glob("*.py")) if self._folder is not None else []
        except OSError as fault:
            self.problems.append(f"plugin folder {self._folder}: {_said(fault)}")
            return []

    def _load(self, file: Path) -> None:
        """Run a plugin file as a module of its own."""
        name = f"protoview_plugin_{file.stem}_{abs(hash(file.absolute())):x}"
        try:
            spec = importlib.util.spec_from_file_location(name, file)
            if spec is None or spec.loader is None:
                raise ImportError("not a Python file")
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            try:
                spec.loader.exec_module(module)
            except BaseException:
                del sys.modules[name]
                raise
            classes = _classes(module)
        except (Exception, SystemExit) as fault:
            self.problems.append(f"plugin {file}: {_said(fault)}")
            return
        if not classes:
            self.problems.append(f"plugin {file}: no subclass of Decoder in it")
        self._add(f"plugin {file}", classes)

    def _add(self, source: str, classes: Iterable[object]) -> None:
        """Take decoders in, those whose names are free."""
        for cls in classes:
            try:
                if not (isinstance(cls, type) and issubclass(cls, Decoder)):
                    raise TypeError(f"{cls!r} is no subclass of Decoder")
                decoder = cls()
                _check(decoder)
            except (Exception, SystemExit) as fault:
                self.problems.append(f"{source}: {_said(fault)}")
                continue
            if decoder.name in self._built_in or decoder.name in self._made:
                self.problems.append(f"{source}: the name {decoder.name} is in use; left out")
                continue
            self._made[decoder.name] = decoder


def _any_installed() -> bool:
    """Whether an installed package declares decoders, told from the files in which packages declare entry points."""
    wanted = f"[{GROUP}]".encode()
    for folder in {Path(entry or ".") for entry in sys.path}:
        for file in (*folder.glob("*.dist-info/entry_points.txt"), *folder.glob("*.egg-info/entry_points.txt")):
            try:
                if wanted in file.read_bytes():
                    return True
            except OSError:
                continue
    return False


def _classes(module: ModuleType) -> list[type[Decoder]]:
    """The Decoder subclasses that a module defines, in the order of their definition; those that it imports are not its own."""
    return [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Decoder) and one.__module__ == module.__name__]


def _check(decoder: Decoder) -> None:
    """Raise TypeError for what would go wrong later: missing names, framing of the wrong kind, fields without specs."""
    for what in ("name", "title", "column"):
        if not isinstance(getattr(decoder, what, None), str) or not getattr(decoder, what):
            raise TypeError(f"{type(decoder).__name__} has no {what}")
    if not decoder.name.replace("_", "").isalnum() or not decoder.name.isascii() or decoder.name != decoder.name.lower():
        raise TypeError(f"{decoder.name!r} is no filter name: lower-case letters, digits and _")
    if decoder.framing is not None and not isinstance(decoder.framing, Framing):
        raise TypeError(f"{type(decoder).__name__}.framing is no Framing")
    for spec in decoder.specs():
        if spec.name != decoder.name and not spec.name.startswith(decoder.name + "."):
            raise TypeError(f"the field {spec.name} is outside {decoder.name}")


def _said(fault: BaseException) -> str:
    """An error on one line."""
    lines = str(fault).strip().splitlines()
    return f"{type(fault).__name__}: {lines[0]}" if lines else type(fault).__name__
