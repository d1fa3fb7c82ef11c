"""Runs a command in a terminal of its own, and says whether it left that as it found it.

What is typed comes by standard input. The terminal is opened once, and the command
has it from its parent, as a program has it from the shell.
"""

import fcntl
import pty
import signal
import subprocess
import sys
import termios


def state():
    flags = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (0, 1, 2)]
    return flags, termios.tcgetattr(0)


def run(command):
    before = state()
    # Ctrl-C reaches all programs of the terminal, and a shell outlives it. A function
    # is not inherited; SIG_IGN would be.
    signal.signal(signal.SIGINT, lambda *_: None)
    status = subprocess.run(command).returncode
    what = "as it was" if state() == before else f"changed: {before} {state()}"
    print(f"status {status}, terminal {what}")


if sys.argv[1] == "--inside":
    run(sys.argv[2:])
else:
    pty.spawn([sys.executable, __file__, "--inside", *sys.argv[1:]])
