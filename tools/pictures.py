"""Draws the README's two pictures from real runs in a terminal of 80 columns: ``make pictures``.

The command runs in a pseudo terminal, pyte keeps its screen, and rich writes the screen as SVG. Nothing is made up:
what a picture shows is what the command printed.
"""

from __future__ import annotations

import io
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import time
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from typing import TYPE_CHECKING

import pyte
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS, ROWS = 80, 50
EXPORTS = Path("/tmp/exports")  # noqa: S108
PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
NAMED = {"brown": "yellow", "brightblack": "bright_black", "default": None}
FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)  # no font from elsewhere


def screen_of(command: list[str], directory: Path, stop: Callable[[pyte.Screen], bool]) -> list[Text]:
    """What is on the screen when ``stop`` says so, or at the end; without the blank lines below."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    primary, secondary = pty.openpty()
    ioctl(secondary, TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    process = subprocess.Popen(
        command, cwd=directory, env=environment, stdin=secondary, stdout=secondary, stderr=secondary
    )
    os.close(secondary)
    shot: list[Text] = []
    while not shot:
        ready, _, _ = select.select([primary], [], [], 0.05)
        if ready:
            try:
                stream.feed(os.read(primary, 65536))
            except OSError:  # the other end is closed
                break
        elif process.poll() is not None:
            break
        if stop(screen):
            shot = lines_of(screen)
    while shot and process.poll() is None:  # what goes on is not in the picture
        if select.select([primary], [], [], 0.05)[0]:
            try:
                os.read(primary, 65536)
            except OSError:
                break
    process.wait()
    os.close(primary)
    return shot or lines_of(screen)


def lines_of(screen: pyte.Screen) -> list[Text]:
    """The screen's lines, with their colours."""
    found = []
    for row in range(ROWS):
        text = Text()
        for column in range(COLUMNS):
            cell = screen.buffer[row][column]
            colour = NAMED.get(cell.fg, cell.fg)
            colour = f"#{colour}" if colour and re.fullmatch(r"[0-9a-f]{6}", colour) else colour
            text.append(cell.data, Style(color=colour, bold=cell.bold or None))
        text.rstrip()
        found.append(text)
    while found and not found[-1].plain:
        found.pop()
    return found


def draw(name: str, title: str, shots: list[tuple[str, list[Text]]]) -> None:
    """Write ``name``.svg: each command as it is typed, and its screen."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor", force_terminal=True)
    for typed, lines in shots:
        console.print(Text("$ ", "bold green") + Text(typed, "bold"))
        for line in lines:
            console.print(line, soft_wrap=True)
        console.print()
    PICTURES.mkdir(exist_ok=True)
    svg = console.export_svg(title=title, theme=DIMMED_MONOKAI, code_format=FORMAT, unique_id=name)
    (PICTURES / f"{name}.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")


def main() -> None:
    """Both pictures."""
    os.environ["SPLITJOIN_TRACKER"] = "sqlite:jobs.db"
    EXPORTS.mkdir()  # a plain name, since it is in the pictures; it must not be there
    try:
        under_way(EXPORTS)
        stuck(EXPORTS)
    finally:
        shutil.rmtree(EXPORTS)


def under_way(directory: Path) -> None:
    """A compressed split of some seconds, in its middle, and the plan of another."""
    rows = b"".join(b'%d,"customer %d","a note, ""quoted""\nof two lines"\n' % (n, n * n) for n in range(100_000))
    with (directory / "acme.csv").open("wb") as file:
        file.write(b"id,name,note\n")
        for _ in range(64):
            file.write(rows)
    half = re.compile(r"\b(?:[6-9]|1\d)/\d\d chunks")
    commands = {
        "splitjoin split acme.csv in/ --date 20240131 --compress zstd --chunk-size 16MiB": lambda screen: bool(
            half.search("\n".join(screen.display))
        ),
        "splitjoin split acme.csv plan/ --date 20240131 --chunk-size 64MiB --dry-run": lambda _: False,
    }
    draw(
        "split",
        "splitjoin split",
        [(line, screen_of(line.split(), directory, stop)) for line, stop in commands.items()],
    )


def stuck(directory: Path) -> None:
    """A job of 40 chunks of which seven never reached the destination: nothing moves any more."""
    with (directory / "sales.csv").open("w") as file:
        file.write("id,amount\n")
        file.writelines(f"{number},{number}\n" for number in range(40_000))
    split = ["splitjoin", "split", "sales.csv", "sales/", "--date", "20240131", "--rows", "1000", "-q"]
    subprocess.run(split, cwd=directory, check=True, stdout=subprocess.DEVNULL)
    for number in (3, 7, 8, 9, 31, 32, 33):
        (directory / "sales" / f"sales_20240131-{number:02}-40.csv").unlink()
    simulate = ["splitjoin", "simulate", "sales/", "--into", "sqlite:sales.db", "-q"]
    subprocess.run(simulate, cwd=directory, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.1)
    command = "splitjoin status sales_20240131 --stuck-after 1s --dest sales/"
    draw("status", "splitjoin status", [(command, screen_of(command.split(), directory, lambda _: False))])


if __name__ == "__main__":
    main()
