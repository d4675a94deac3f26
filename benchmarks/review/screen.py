#!/usr/bin/env python3
"""Draws a screen that tmux captured with colours (capture-pane -p -e -N) as PNG, for the manual.

    benchmarks/review/screen.py SCREEN.ansi PICTURE.png

Needs Pillow and the DejaVu fonts.
"""
import re
import sys

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 8, 17
ANSI = ["000000", "cd0000", "00cd00", "cdcd00", "5050ee", "cd00cd", "00cdcd", "e5e5e5",
        "7f7f7f", "ff0000", "00ff00", "ffff00", "5c5cff", "ff00ff", "00ffff", "ffffff"]
# Which quarters of a cell (0 1 above 2 3) a block character fills.
QUARTERS = dict(zip("▀▄█▌▐▖▗▘▝▙▚▛▜▞▟", ["01", "23", "0123", "02", "13", "2", "3", "0", "1", "023", "03", "012", "013", "12", "123"]))


def palette(index):
    if index < 16:
        return tuple(bytes.fromhex(ANSI[index]))
    if index < 232:
        levels, index = [0, 95, 135, 175, 215, 255], index - 16
        return levels[index // 36], levels[index // 6 % 6], levels[index % 6]
    return (8 + 10 * (index - 232),) * 3


class Style:
    def __init__(self):
        self.ink, self.paper, self.inverse = None, None, False

    def apply(self, codes):
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.__init__()
            elif code in (7, 27):
                self.inverse = code == 7
            elif code in (38, 48):
                colour = palette(codes.pop(0)) if codes.pop(0) == 5 else tuple(codes.pop(0) for _ in range(3))
                self.set(code == 38, colour)
            elif code in (39, 49):
                self.set(code == 39, None)
            elif 30 <= code < 38 or 90 <= code < 98:
                self.set(True, palette(code - 30 if code < 90 else code - 82))
            elif 40 <= code < 48 or 100 <= code < 108:
                self.set(False, palette(code - 40 if code < 100 else code - 92))

    def set(self, is_ink, colour):
        if is_ink:
            self.ink = colour
        else:
            self.paper = colour

    def colours(self):
        ink, paper = self.ink or (220, 220, 220), self.paper or (0, 0, 0)
        return (paper, ink) if self.inverse else (ink, paper)


def main(source, target):
    lines = open(source, encoding="utf8").read().rstrip("\n").split("\n")
    columns = max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines)
    image = Image.new("RGB", (columns * WIDTH, len(lines) * HEIGHT))
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype("DejaVuSansMono.ttf", 13)
    style = Style()
    for row, line in enumerate(lines):
        column = 0
        for codes, character in re.findall(r"\x1b\[([0-9;]*)m|(.)", line):
            if not character:
                style.apply([int(code or 0) for code in codes.split(";")])
                continue
            ink, paper = style.colours()
            x, y = column * WIDTH, row * HEIGHT
            draw.rectangle([x, y, x + WIDTH - 1, y + HEIGHT - 1], fill=paper)
            for quarter in map(int, QUARTERS.get(character, "")):
                left, top = x + quarter % 2 * WIDTH // 2, y + quarter // 2 * 8
                draw.rectangle([left, top, left + WIDTH // 2 - 1, top + 8], fill=ink)
            if character not in QUARTERS and character != " ":
                draw.text((x, y), character, font=font, fill=ink)
            column += 1
    image.save(target, optimize=True)


main(*sys.argv[1:])
