"""What may be typed after `:`: a packet number, words about filters, saving what is shown, and every action by its name or its word in the key line."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from protocols.engine.fields import printable
from tui.filter.filter_keys import COMMANDS, FilterKeys
from tui.main.navigation import Going
from tui.parts import actions
from tui.parts.actions import Action

if TYPE_CHECKING:
    from captures.capture import Capture
    from tui.parts.worker import Worker

WORDS = {
    "NUMBER": "go to that packet", "w FILE": "save the packets shown, as .pcapng or .pcap; w! FILE over a file that is there",
    "q": "quit", "NAME": "do what an action does, by its name or its word in the key line: pair, time, decode, layout …",
}
"""What may be typed besides the words about filters, and what it does."""
QUIT = ("q", "q!", "quit")


class CommandLine:
    """`say` shows a message, `quit` ends the program."""

    def __init__(self, capture: Capture, worker: Worker, going: Going, filters: FilterKeys, say: Callable[[str, str], None], quit: Callable[[], None]) -> None:
        self.capture, self.worker, self.going, self.filters, self.say, self.quit = capture, worker, going, filters, say, quit

    def completions(self, text: str, contexts: Sequence[str]) -> list[str]:
        """What a text that is being typed may become, in the order of the alphabet."""
        store = self.filters.editor.store
        if text.startswith("filter "):
            return sorted(f"filter {name}" for name in store.saved if name.startswith(text.removeprefix("filter ")))
        if text.startswith(("w ", "w! ")):
            return files(text)
        commands = {command.partition(" ")[0] + " " * (" " in command) for command in COMMANDS if not command.startswith("set ")}
        commands |= {"set rows message", "set rows packet", "w ", "quit"}
        return sorted(word for word in commands | set(actions.words(contexts)) if word.startswith(text) and word != text)

    def action(self, text: str, contexts: Sequence[str]) -> Action | None:
        """Carry a command out; an action is returned to be performed."""
        word, _, rest = text.partition(" ")
        if self.filters.command(text):
            return None
        if text in QUIT:
            self.quit()
        elif text.isascii() and text.isdigit():
            self.going.jump(int(text[:12]) - 1, near=True)
        elif word in ("w", "w!", "write", "write!"):
            self._write(rest.strip(), word.endswith("!"))
        elif word == "save":
            self.say(":w FILE saves the packets shown; :save-filter NAME keeps the filter in force", "warning")
        else:
            action = actions.named(text, contexts)
            if action is None and text:
                self.say(f"no command {printable(text)}; Tab completes, ? lists them", "warning")
            return action
        return None

    def _write(self, name: str, over: bool) -> None:
        """Save the packets shown, beside the event loop."""
        filtering, path = self.filters.editor.filtering, Path(name).expanduser()
        if not name:
            self.say(":w FILE saves the packets shown, as FILE.pcapng or FILE.pcap", "warning")
        elif filtering.running:
            self.say("the filter still looks for packets; nothing was saved", "warning")
        elif not self.capture.complete:
            self.say("the capture is still being indexed; nothing was saved", "warning")
        elif not filtering.list.count:
            self.say("no packet is shown; nothing was saved", "warning")
        elif path.exists() and not over:
            self.say(f"{printable(name)} is there already; :w! {printable(name)} writes over it", "warning")
        else:
            shown = filtering.list.shown
            packets = range(len(self.capture)) if shown is None else shown.packets.tolist()
            self.say(f"saving {len(packets):,} packets …", "")
            self.worker.ask("save", partial(self._save, packets, path), partial(self._saved, printable(name)),
                            lambda fault: self.say(f"not saved: {printable(fault)}", "error"))

    def _save(self, packets: Sequence[int], path: Path) -> tuple[int, list[str]]:
        from captures.output.save import save_packets
        lost: list[str] = []
        return save_packets(self.capture, packets, path, tell=lost.append), lost

    def _saved(self, name: str, answer: tuple[int, list[str]]) -> None:
        count, lost = answer
        self.say("; ".join([f"saved {count:,} {'packet' if count == 1 else 'packets'} as {name}", *lost]), "warning" if lost else "good")


def files(text: str) -> list[str]:
    """The command with every file or folder that its last word may become."""
    command, _, typed = text.partition(" ")
    path = Path(typed).expanduser()
    folder, start = (path, "") if typed.endswith("/") or not typed else (path.parent, path.name)
    lead = typed[:len(typed) - len(start)]
    try:
        found = [one.name + "/" * one.is_dir() for one in folder.iterdir() if one.name.startswith(start) and (start or not one.name.startswith("."))]
    except OSError:
        return []
    return sorted(f"{command} {lead}{name}" for name in found)[:200]
