"""Which decoders there are: the built-in ones, installed ones (entry points), and single Python files of the user's.

Built-in decoders are named in a table and imported when they are first asked for; plugins are loaded then too. A plugin that cannot be
loaded, that is not all that a decoder must be (`protocols.plugin_check`), or that takes a name which is in use, is left out and said so in `problems`; it
never takes the program down. A plugin is a program that runs with the user's rights, so a file that others may write is left out, too.
"""
from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from protocols.decoder import Decoder
from protocols.engine.mistakes import MISTAKES, PLUGIN, told
from protocols.engine.printable import printable
from protocols.plugin_check import check, others_may_write

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
        """One line each: which plugin failed, where in its file, and why."""
        self.tracebacks: list[str] = []
        """The same in full, for the plugin's author."""
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
        except MISTAKES as fault:
            self._failed.add(name)
            self.problems.append(f"protocol {name}: {told(fault)}")

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
                except KeyboardInterrupt:
                    raise
                except BaseException as fault:  # whatever a plugin raises while it is imported
                    self.problems.append(f"plugin {entry.name}: {told(fault)}")
                else:
                    self._add(f"plugin {entry.name}", classes)
        for file in self._files:
            self._load(file, others_may_write(file, mine=False))
        for file in self._in_folder():
            self._load(file, others_may_write(file))

    def _in_folder(self) -> list[Path]:
        try:
            files = sorted(self._folder.glob("*.py")) if self._folder is not None else []
        except OSError as fault:
            self.problems.append(f"plugin folder {self._folder}: {told(fault)}")
            return []
        why = others_may_write(self._folder) if files and self._folder is not None else ""
        if why:
            self.problems.append(printable(f"plugin folder {self._folder}: not loaded, {why}"))
        return [] if why else files

    def _load(self, file: Path, unsafe: str) -> None:
        """Run a plugin file as a module of its own; `unsafe` says why it must not be run, "" when it may."""
        source = printable(f"plugin {file}")
        if unsafe:
            self.problems.append(f"{source}: not loaded, {unsafe}")
            return
        name = f"{PLUGIN}{file.stem}_{abs(hash(file.absolute())):x}"
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
        except KeyboardInterrupt:
            raise
        except BaseException as fault:  # whatever a plugin raises while it is run
            self.problems.append(f"{source}: {told(fault)}")
            self.tracebacks.append("".join(traceback.format_exception(fault)))
            return
        if not classes:
            self.problems.append(f"{source}: no subclass of Decoder in it")
        self._add(source, classes)

    def _add(self, source: str, classes: Iterable[object]) -> None:
        """Take decoders in, those whose names are free."""
        for cls in classes:
            try:
                if not (isinstance(cls, type) and issubclass(cls, Decoder)):
                    raise TypeError(f"{cls!r} is no subclass of Decoder")
                decoder = cls()
                check(decoder)
            except KeyboardInterrupt:
                raise
            except BaseException as fault:
                self.problems.append(f"{source}: {told(fault)}")
                self.tracebacks.append("".join(traceback.format_exception(fault)))
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
