"""The command line as a user meets it: exit statuses, one-line errors, and what is loaded for which question."""
from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tui.command import cli

ROOT = Path(__file__).parent.parent
DEMO = str(cli.demo())
PACKETS = 1740  # tshark -r zookeeper-kazoo-3.9-recipes.pcap | wc -l


@pytest.fixture
def run(capsysbinary, monkeypatch, tmp_path):
    """Runs the program in this process: (status, standard output, lines of standard error)."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def run(*arguments: object) -> SimpleNamespace:
        try:
            status = cli.main([str(one) for one in arguments])
        except SystemExit as done:
            status = done.code
        out, err = capsysbinary.readouterr()
        return SimpleNamespace(status=status, out=out.decode("utf-8"), err=err.decode("utf-8").splitlines())
    return run


def started(*arguments: object, **more) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "protoview", *map(str, arguments)], cwd=ROOT, stderr=subprocess.PIPE, **more)


def loaded_by(*arguments: str) -> set[str]:
    """The top-level modules in memory after a run."""
    program = (f"import sys\nfrom tui.command.cli import main\ntry: main({list(arguments)!r})\nexcept SystemExit: pass\n"
               "print(*sys.modules, sep='\\n', file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(option):
    assert not {"numpy", "textual", "dpkt", "captures"} & loaded_by(option)


def test_info_loads_no_decoder_and_no_screen():
    loaded = loaded_by("--info", DEMO)
    assert "captures.index.index" in loaded
    assert not {"textual", "dpkt", "captures.capture", "protocols.registry", "protocols.zookeeper.decoder"} & loaded


def test_rows_are_printed_without_a_terminal_and_without_textual():
    assert "textual" not in loaded_by("-c", "1", DEMO)


def test_without_a_terminal_every_packet_is_a_row(run):
    done = run("--demo")
    assert done.status == 0 and done.err == []
    assert len(done.out.splitlines()) == PACKETS


def test_the_file_may_be_given_as_to_tshark(run):
    assert run("-r", DEMO, "-c", 3).out == run(DEMO, "-T", "text", "-c", 3).out


def test_a_terminal_gets_the_screens(run, monkeypatch):
    opened = []
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("tui.terminal.keyboard.has_screens", lambda: True)     # tests have no terminal; test_tui_keyboard gives the program one
    monkeypatch.setattr("tui.terminal.keyboard.take", lambda: None)
    monkeypatch.setattr("tui.app.app.run", lambda capture, *, mouse: opened.append((capture.path, mouse)) or 0)
    assert run(DEMO).status == 0 and run("--demo", "--no-mouse").status == 0
    assert opened == [(Path(DEMO), True), (Path(DEMO), False)]


def test_a_terminal_gets_text_where_text_was_asked_for(run, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run("--demo", "-T", "text", "-c", 2).out.count("\n") == 2


def wrong_file(kind: str, folder: Path) -> Path:
    path = folder / kind
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("this is no capture\n" * 100)
    elif kind == "gzipped text":
        path.write_bytes(gzip.compress(b"this is no capture\n" * 100))
    elif kind == "directory":
        path.mkdir()
    elif kind == "header only":
        path.write_bytes(gzip.decompress(Path(DEMO).read_bytes())[:17])
    elif kind == "not\x1b[2Jprintable":
        path.write_bytes(b"\0" * 50)
    elif kind == "no permission":
        path.write_bytes(Path(DEMO).read_bytes())
        path.chmod(0)
    return path


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "gzipped text", "directory", "header only", "not\x1b[2Jprintable", "no permission"])
@pytest.mark.parametrize("question", [[], ["-T", "ndjson"], ["--info"], ["--follow", "tcp,0"], ["-T", "fields", "-e", "ip.src"]])
def test_what_is_no_capture_is_one_line_and_status_2(run, tmp_path, kind, question):
    if kind == "no permission" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    path = wrong_file(kind, tmp_path)
    done = run(path, *question)
    assert done.status == 2 and done.out == ""
    assert len(done.err) == 1
    shown = str(path).replace("\x1b", "\\x1b")
    assert done.err[0].startswith(f"protoview: {shown}: ")
    assert done.err[0].isprintable()


@pytest.mark.parametrize("arguments", [
    [], [DEMO, DEMO], [DEMO, "--demo"], [DEMO, "-T", "foo"], [DEMO, "-T", "fields"], [DEMO, "-e", "ip.src"], [DEMO, "-c", "0"], [DEMO, "-c", "x"],
    [DEMO, "--nosuch"],
])
def test_a_wrong_command_line_is_status_2(run, arguments):
    done = run(*arguments)
    assert done.status == 2 and done.out == ""
    assert done.err[-1].startswith("protoview: error: ")


@pytest.mark.parametrize(("rule", "said"), [
    ("tcp.port==2181,nosuch", "no protocol 'nosuch'; there are: "), ("tcp.port=2181,zookeeper", "wanted tcp.port==NUMBER,NAME"),
    ("tcp.port==99999,zookeeper", "wanted tcp.port==NUMBER,NAME"), ("zookeeper", "wanted tcp.port==NUMBER,NAME"),
])
def test_a_wrong_decode_as_says_what_is_wanted(run, rule, said):
    done = run(DEMO, "-d", rule)
    assert done.status == 2 and done.out == "" and len(done.err) == 1
    assert said in done.err[0]


def test_an_unknown_protocol_names_those_that_there_are(run):
    assert "zookeeper" in run(DEMO, "-d", "tcp.port==2181,nosuch").err[0]


def echo_capture(path: Path) -> Path:
    """One request and its reply of the example plugin's protocol, ports 40000 and 7999, after RFC 791 and RFC 9293."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)]
    for number, (side, body) in enumerate([(0, b"\0\x0a\1\0\0\0\x07hello"), (1, b"\0\x0a\2\0\0\0\x07hello")]):
        ends = [(40000, bytes((10, 0, 0, 1))), (7999, bytes((10, 0, 0, 2)))]
        (sport, source), (dport, destination) = ends[::-1] if side else ends
        tcp = struct.pack(">HHIIBBHHH", sport, dport, 1, 1 + len(body) * side, 0x50, 0x18, 1000, 0, 0) + body
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, source, destination) + tcp
        out.append(struct.pack("<IIII", 1_700_000_000 + number, 0, len(ip), len(ip)) + ip)
    path.write_bytes(b"".join(out))
    return path


def test_a_plugin_decodes_its_protocol(run, tmp_path):
    capture, plugin = echo_capture(tmp_path / "echo.pcap"), ROOT / "tests/data/plugin_echo.py"
    asked = [capture, "-T", "fields", "-e", "frame.number", "-e", "pv.proto", "-e", "pv.kind", "-e", "pv.rrt", "-e", "echo.text"]
    assert run("--plugin", plugin, *asked).out == "1\techo\trequest\t1\thello\n2\techo\tresponse\t1\thello\n"
    assert run(*asked[:-2]).out == "1\t\t\t\n2\t\t\t\n"


def test_decode_as_wins_over_recognition(run, tmp_path):
    capture, plugin = echo_capture(tmp_path / "echo.pcap"), ROOT / "tests/data/plugin_echo.py"
    asked = [capture, "--plugin", plugin, "-T", "fields", "-e", "pv.proto"]
    assert "echo" not in run(*asked, "-d", "tcp.port==7999,zookeeper").out
    assert run(*asked, "-d", "tcp.port==1,zookeeper").out == "echo\necho\n"
    assert run(*asked, "-d", "tcp.port==1,zookeeper", "-d", "tcp.port==7999,echo").out == "echo\necho\n"


def test_a_plugin_of_the_folder_that_cannot_be_loaded_is_one_line_and_the_rest_goes_on(run, tmp_path):
    broken = tmp_path / "protoview" / "plugins" / "broken.py"
    broken.parent.mkdir(parents=True)
    broken.write_text("raise RuntimeError('no\\nluck')\n")
    done = run(DEMO, "-c", 2)
    assert done.status == 0 and done.out.count("\n") == 2
    assert len(done.err) == 1 and "broken" in done.err[0]


def test_count_gives_the_first_packets(run):
    assert run(DEMO, "-c", 5).out.splitlines() == run(DEMO).out.splitlines()[:5]


def test_more_packets_than_there_are_is_all(run):
    assert run(DEMO, "-c", 10**6).out.count("\n") == PACKETS


def test_a_capture_that_is_cut_off_is_read_as_far_as_it_goes(run, tmp_path):
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(gzip.decompress(Path(DEMO).read_bytes())[:-3])
    done = run(cut)
    assert done.status == 0 and done.out.count("\n") == PACKETS - 1
    assert len(done.err) == 1 and f"{PACKETS:,}" in done.err[0]


def test_every_protocol_is_listed_with_its_ports(run):
    assert "zookeeper\tApache ZooKeeper\t2181" in run("--list-protocols").out.splitlines()


def test_every_field_is_listed_once_and_sorted(run):
    rows = [line.split("\t") for line in run("--list-fields").out.splitlines()]
    names = [name for name, *_ in rows]
    assert names == sorted(set(names))
    assert all(len(row) == 4 and row[1] for row in rows)
    assert {"ip.src", "tcp.flags.syn", "pv.op", "zookeeper.xid", "_ws.col.Info", "_ws.malformed"} <= set(names)
    assert {row[0]: (row[1], row[3]) for row in rows}["tcp.srcport"] == ("uint16", "tcp")


def test_a_reader_that_goes_away_ends_the_program_quietly():
    with started(DEMO, "-T", "ndjson", stdout=subprocess.PIPE) as program:
        assert program.stdout.readline().startswith(b'{"number":1,')
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line_and_status_2():
    with Path("/dev/full").open("wb") as full:
        program = started(DEMO, "-T", "ndjson", stdout=full)
        _, err = program.communicate(timeout=30)
    assert program.returncode == 2
    assert err.decode().splitlines() == ["protoview: No space left on device"]


def test_a_closed_output_is_one_line_and_status_2():
    done = subprocess.run(["sh", "-c", '"$0" -m protoview "$1" >&-', sys.executable, DEMO], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "protoview: standard output is closed\n")


def test_output_is_utf_8_whatever_the_locale():
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "PYTHONCOERCECLOCALE": "0"}
    program = started(DEMO, stdout=subprocess.PIPE, env={**os.environ, **plain})
    out, err = program.communicate(timeout=30)
    assert err == b"" and "/app/конфиг" in out.decode("utf-8")


def test_secrets_are_masked_unless_one_asks_for_them():
    file = ROOT / "tests" / "data" / "iggy" / "iggy-rustsdk-0.8.0-users.pcap.gz"
    wrong = "not-the-password"      # what the client sent, as the recording's truth file says
    masked, shown = (started(file, "-V", *option, stdout=subprocess.PIPE).communicate()[0].decode() for option in ((), ("--show-secrets",)))
    assert wrong not in masked and "Password: (masked, 16 bytes)" in masked
    assert f"Password: {wrong}" in shown
