"""What libfault.so reports: lines of its file, and the source lines that their frames stand for."""
import os
import re
import subprocess

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))


SANITIZER = re.compile(r'/lib(a|t|ub)san')


class Line:
    """site, fail or crash, with its frames as (object, offset)."""

    def __init__(self, text):
        words = text.split()
        self.kind, self.call, self.hash, self.number = words[0], words[1], words[2], int(words[3])
        self.frames = [tuple(w.rsplit('+', 1)) for w in words[4:]
                       if '+' in w and not SANITIZER.search(w)]


def read(path):
    try:
        with open(path) as f:
            return [Line(text) for text in f if len(text.split()) >= 4]
    except FileNotFoundError:
        return []


class Symbols:
    """Source lines of addresses; each object is read once for all addresses asked at once."""

    def __init__(self, program):
        self.program = program
        self.known = {}

    def own(self, frame):
        """The file of a frame that is ours to look at, or None."""
        if frame[0] == 'exe':
            return self.program
        system = frame[0].startswith(('/lib', '/usr/')) or not frame[0].startswith('/')
        return None if system else frame[0]

    def load(self, lines):
        wanted = {}
        for line in lines:
            for frame in line.frames:
                path = self.own(frame)
                if path and frame not in self.known:
                    wanted.setdefault(path, set()).add(frame)
        for path, frames in wanted.items():
            self._resolve(path, sorted(frames))

    def _resolve(self, path, frames):
        said = subprocess.run(['addr2line', '-i', '-a', '-e', path], input='\n'.join(f[1] for f in frames),
                              capture_output=True, text=True, check=True).stdout
        index = -1
        for text in said.splitlines():
            if text.startswith('0x'):
                index += 1
                self.known[frames[index]] = []
            else:
                place = text.split(' (')[0]
                if place.startswith('/'):
                    place = os.path.relpath(os.path.normpath(place), SOURCE)
                self.known[frames[index]].append(place)

    def places(self, line):
        """All places of a line in our own objects, innermost first, those of inlined functions included."""
        return [place for frame in line.frames for place in self.known.get(frame, [])]


def is_product(place):
    return place.startswith(('src/', 'include/'))


def product_path(places):
    """The calls of the product that end in the innermost one; empty when that is not the product's."""
    path = []
    for place in places:
        if not is_product(place):
            break
        path.append(place)
    return tuple(path)
