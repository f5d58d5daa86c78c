"""Processes that are forked from a main process with threads: they share its memory, and wait for none of its locks."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

MAIN = r"""
    import logging, multiprocessing, os, pathlib, re, signal, sys, threading
    from servicekit import forking
    from servicekit.inside import InternalSecret
    from servicekit.log.setup import configure_logging

    def memory(kind):
        found = re.search(rf"^{kind}:\s+(\d+)", pathlib.Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1])

    def work():
        logging.getLogger("worker").warning("a line")
        print(signal.getsignal(signal.SIGTERM).name, memory("Private_Dirty") < memory("Rss") / 2, flush=True)

    def hold():
        with forwarder._changed:
            held.set()
            threading.Event().wait()

    kept = [str(number) for number in range(500_000)]
    forking.prepare(["json"])
    forwarder = configure_logging("main", "info", ("http://127.0.0.1:9/ingest", InternalSecret(pathlib.Path("secret"))))
    signal.signal(signal.SIGTERM, lambda *_: None)
    held = threading.Event()
    threading.Thread(target=hold, daemon=True).start()
    held.wait()
    worker = multiprocessing.Process(target=work)
    worker.start()
    worker.join(30)
    print(worker.exitcode, flush=True)
    worker.kill()
    os._exit(0)
"""


def test_a_server_process_starts_while_a_thread_of_the_main_process_holds_a_lock(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s" * 40)
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "main.py").write_text(textwrap.dedent(MAIN))
    path = ":".join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n") == ["SIG_DFL True", "0", ""], done.stderr
    assert "a line" in done.stderr
