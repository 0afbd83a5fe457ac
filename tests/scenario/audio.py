"""Tones: made by sox, recognized by Goertzel's filter in what a phone plays."""
import array
import fcntl
import math
import os
import subprocess
import threading
import time
import wave

import harness
from harness import wait_for

RATE = 8000
BLOCK = 400  # samples, 50 ms: every multiple of 20 Hz has whole periods in it, a lost packet spoils one block
QUIET = 300  # a mean amplitude below it is silence: a tone's is some 10,000


def make_tone(path, frequency, seconds=60):
    """A WAV file with a sine, of a length that no test outlasts."""
    subprocess.run(['sox', '-n', '-r', str(RATE), '-c', '1', '-b', '16', path, 'synth', str(seconds), 'sine',
                    str(frequency), 'vol', '0.5'], check=True)
    return path


def read_wav(path):
    with wave.open(path) as w:
        samples = array.array('h')
        samples.frombytes(w.readframes(w.getnframes()))
    return samples


def power(block, frequency):
    """The part of a block's energy that is a sine of this frequency: 1 for nothing else."""
    energy = sum(x * x for x in block)
    if not energy:
        return 0.0
    k = 2 * math.cos(2 * math.pi * frequency / RATE)
    last = before = 0.0
    for x in block:
        last, before = x + k * last - before, last
    return (last * last + before * before - k * last * before) * 2 / (len(block) * energy)


def blocks(samples):
    return [samples[i:i + BLOCK] for i in range(0, len(samples) - BLOCK + 1, BLOCK)]


def is_silent(block):
    return sum(abs(x) for x in block) < QUIET * len(block)


def share(samples, frequency):
    """In how many of the blocks this tone stands for nearly everything (0 to 1)."""
    parts = blocks(samples)
    return sum(not is_silent(b) and power(b, frequency) > 0.9 for b in parts) / len(parts)


def loudest(samples, frequency):
    """The most that this tone has in any block that is not silent: near 0 when it is absent."""
    return max((power(b, frequency) for b in blocks(samples) if not is_silent(b)), default=0.0)


class Recording:
    """What a phone plays, while it plays it: its sound card is a pipe, read at the pace of a sound card.

    Whether the phone plays silence or nothing at all makes no difference.
    """
    TICK = 0.02
    F_SETPIPE_SZ = 1031  # not in every Python

    def __init__(self, path):
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(self.fd, self.F_SETPIPE_SZ, 4096)  # a quarter of a second: no more may lie between phone and ear
        self.data = bytearray()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        due, last = 0.0, time.monotonic()
        while not self.stopping.wait(self.TICK):
            now = time.monotonic()
            due = min(due + (now - last) * RATE * 2, RATE)  # half a second is caught up with at most
            last = now
            try:
                got = os.read(self.fd, int(due) & ~1)
            except BlockingIOError:
                continue
            due -= len(got)
            self.data += got
        os.close(self.fd)

    def close(self):
        self.stopping.set()
        self.thread.join()

    def _samples(self, start, end):
        samples = array.array('h')
        samples.frombytes(bytes(self.data[start & ~1:end & ~1]))
        return samples

    def next(self, seconds=0.5, timeout=None):
        """So many seconds that are played from now on; None when they do not come."""
        start = len(self.data)
        end = start + int(RATE * seconds) * 2
        return self._samples(start, end) if wait_for(lambda: len(self.data) >= end, timeout) else None

    def hears(self, frequency, absent=(), seconds=0.5):
        """Waits until the tone is heard, and nothing of those that must be absent."""
        end = time.monotonic() + harness.DEADLINE
        said = 'nothing is played'
        while time.monotonic() < end:
            samples = self.next(seconds, end - time.monotonic())
            if not samples:
                break
            others = {f: round(loudest(samples, f), 3) for f in absent}
            part = share(samples, frequency)
            if part >= 0.8 and all(v < 0.05 for v in others.values()):
                return
            said = f'{frequency} Hz is {part:.2f} of it, others have {others}'
        raise AssertionError(f'the tone of {frequency} Hz is not heard: {said}')

    def falls_silent(self, seconds=0.6):
        """Waits for so many seconds in which nothing, or silence, is played."""
        end = time.monotonic() + harness.DEADLINE
        while time.monotonic() < end:
            start = len(self.data)
            time.sleep(seconds)  # silence is nothing that could be waited for
            if all(is_silent(b) for b in blocks(self._samples(start, len(self.data)))):
                return
        raise AssertionError('it does not fall silent')
