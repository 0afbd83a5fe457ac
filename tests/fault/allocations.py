"""allocations.py BUILD LIBFAULT [short] [PROGRAM…]: the unit suite's programs with each allocation failing in turn.

A program runs once to tell its sites, the distinct paths of calls within the product that end in an allocation; then
once for each of them, and that one fails. A test may then fail, since it cannot get what it asked for. The product may
not: a crash in it, a sanitizer's report, or a run without end is a failure. short: each site counts once in the whole
suite, known by its innermost calls, and slow programs are left out; otherwise once in each program, and the allocations
of libraries fail as well, each once in the whole suite.
"""
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import sites

WORKERS = 2
DEPTH = 4          # short: calls by which a site is known
# short leaves out what takes long each time, and what waits without an end for what the fault took
SLOW = ('transport_admission', 'transport_churn', 'transport_flow', 'transport_udp', 'resolver_resolve_threaded',
        'core_threaded', 'base_growth', 'base_life', 'sim_disk', 'sim_net', 'sim_options', 'sim_streams',
        'transport_tcp', 'transport_stream_limits', 'resolver_resolve', 'config threads', 'transaction_stress')
WITH_LIBRARIES = ('module_nonce',)  # short: in these the allocations of libraries fail as well
LIMIT = 900        # sites of one program at most
OWN_ALLOCATIONS = ('location_nomem', 'transaction_nomem', 'config memory', 'message_memory')
SANITIZER = re.compile(r'ERROR: \w+Sanitizer|runtime error:|WARNING: ThreadSanitizer')
UNFINISHED = re.compile(r'\[  (FAILED|ERROR) +\]')
PLACE = re.compile(r'^\s+#\d+ 0x[0-9a-f]+ .*?((?:src|include|tests)/\S+\.[ch]:\d+)', re.M)


# What readers may still see is kept for good when the request for a quiet point found no memory: that is no leak.
KEPT = 'src/base/quiet.c:'


class Program:
    def __init__(self, test, lib, sanitized, short):
        self.name = test['name']
        self.argv = test['cmd']
        self.lib, self.sanitized = lib, sanitized
        self.env = {**os.environ, **test['env'], 'LD_PRELOAD': lib, 'FAULT_CALLS': 'mem',
                    'FAULT_FROM': 'own' if short and self.name not in WITH_LIBRARIES else 'all'}
        if sanitized:
            self.env.update(FAULT_CRASH='0', ASAN_OPTIONS='verify_asan_link_order=0:detect_leaks=1:abort_on_error=0',
                            UBSAN_OPTIONS='halt_on_error=1:print_stacktrace=1')
        self.symbols = sites.Symbols(self.argv[0])
        self.sites = {}
        self.base = 0
        self.outcomes = {}
        self.bad = []

    def run(self, mode, seconds, **settings):
        """The lines of the report, the exit status (None: it did not end) and what the program said."""
        begin = time.monotonic()
        folder = tempfile.mkdtemp(prefix='fault-')
        report = os.path.join(folder, 'report')
        env = {**self.env, 'TMPDIR': folder, 'FAULT_REPORT': report, 'FAULT_MODE': mode, **settings}
        p = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env=env, cwd=folder, start_new_session=True)
        status = None
        try:
            said = p.communicate(timeout=seconds)[0]
            status = p.returncode
        except subprocess.TimeoutExpired:
            os.kill(p.pid, signal.SIGQUIT)  # tells where it stands
            try:
                said = p.communicate(timeout=2)[0]
            except subprocess.TimeoutExpired:
                said = b''
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        p.wait()
        p.stdout.close()
        lines = sites.read(report)
        shutil.rmtree(folder, ignore_errors=True)
        return lines, status, said.decode(errors='replace')

    def list(self):
        """Finds the sites: path in the product -> its first full path of calls."""
        begin = time.monotonic()
        lines, status, said = self.run('list', 120)
        self.base = time.monotonic() - begin
        if status != 0:
            raise RuntimeError(f'{self.name}: {status} without a fault:\n{said[-2000:]}')
        self.symbols.load(lines)
        for line in lines:
            path = sites.product_path(self.symbols.places(line))
            library = () if self.symbols.own(line.frames[0]) else ('+'.join(line.frames[0]),)
            if path:
                self.sites.setdefault((line.call, *path, *library), line)

    def fail(self, key):
        line = self.sites[key]
        lines, status, said = self.run('site', self.base * 5 + 3, FAULT_SITE=line.hash)
        self.symbols.load(lines)
        outcome, where = self.judge(key, lines, status, said)
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        if outcome in ('crash', 'hang', 'hang in test', 'report', 'leak'):
            self.bad.append((outcome, key, where))

    def judge(self, key, lines, status, said):
        """The outcome, and where."""
        found = SANITIZER.search(said)
        if found:
            places = [p for p in PLACE.findall(said[found.start():]) if not p.startswith('tests/fault/')]
            if 'LeakSanitizer' not in found.group():
                return ('report' if not places or sites.is_product(places[0]) else 'crash in test'), places
            # A failed test leaves what it had.
            if not UNFINISHED.search(said) and KEPT not in ' '.join(key):
                return 'leak', places
        crashed = [line for line in lines if line.kind == 'crash' and line.call != 'QUIT']
        crashes = [self.symbols.places(line) for line in crashed]
        for line, places in zip(crashed, crashes):
            if places and sites.is_product(places[0]):
                # Frame 0 is the signal's. A library that crashes in the call that found no memory is not ours to mend.
                within = '+' in key[-1] and places[0] == key[1] and not self.symbols.own(line.frames[1])
                return 'crash in library' if within else 'crash', places
        if status is None:
            places = [p for line in lines if line.call == 'QUIT' for p in self.symbols.places(line)]
            return ('hang in test' if places and not sites.is_product(places[0]) else 'hang'), places
        if crashes:
            return 'crash in test', crashes[0]
        if not any(line.kind == 'fail' for line in lines):
            return 'not reached', []
        return ('unnoticed' if status == 0 else 'test failed'), []


def programs(build, lib, names, short):
    with open(os.path.join(build, 'meson-info', 'intro-tests.json')) as f:
        tests = json.load(f)
    with open(os.path.join(build, 'meson-info', 'intro-buildoptions.json')) as f:
        sanitized = next(o['value'] for o in json.load(f) if o['name'] == 'b_sanitize') not in ('none', [])
    found = []
    for t in tests:
        suites = [s.split(':')[-1] for s in t['suite']]
        fits = ('unit' in suites or t['name'] in ('sim_options', 'sim_streams')) and '/tests/' in t['cmd'][0]
        # The fuzz targets' own code expects to have memory.
        fits = fits and not t['name'].startswith('fuzz_')
        own = t['name'] in OWN_ALLOCATIONS + (SLOW if short else ()) or t['cmd'][0].endswith('check-headers')
        if fits and not own and (not names or t['name'] in names):
            found.append(Program(t, lib, sanitized, short))
    return found


def choose(all_programs, short):
    """(program, site) pairs to run."""
    chosen, taken = [], set()
    for p in sorted(all_programs, key=lambda p: p.name):
        keys = sorted(p.sites)
        if short:
            keys = [k for k in keys if k[:DEPTH + 1] not in taken]
            keys = list({k[:DEPTH + 1]: k for k in reversed(keys)}.values())
            taken.update(k[:DEPTH + 1] for k in keys)
        else:  # a library is the same in all programs
            keys = [k for k in keys if '+' not in k[-1] or k not in taken]
            taken.update(keys)
        chosen += [(p, k) for k in keys[:LIMIT]]
    return chosen


def table(all_programs, chosen):
    kinds = ['unnoticed', 'test failed', 'crash in test', 'crash in library', 'not reached', 'hang in test',
             'leak', 'report', 'hang', 'crash']
    runs = {}
    for p, _ in chosen:
        runs[p.name] = runs.get(p.name, 0) + 1
    print(f'{"program":34}{"sites":>7}{"runs":>7}' + ''.join(f'{k:>17}' for k in kinds))
    total = [0] * (len(kinds) + 2)
    for p in sorted(all_programs, key=lambda p: p.name):
        row = [len(p.sites), runs.get(p.name, 0)] + [p.outcomes.get(k, 0) for k in kinds]
        total = [a + b for a, b in zip(total, row)]
        if row[1]:
            print(f'{p.name:34}{row[0]:>7}{row[1]:>7}' + ''.join(f'{v:>17}' for v in row[2:]))
    print(f'{"all":34}{total[0]:>7}{total[1]:>7}' + ''.join(f'{v:>17}' for v in total[2:]))


def main():
    build, lib, *rest = sys.argv[1:]
    short = 'short' in rest
    all_programs = programs(os.path.abspath(build), os.path.abspath(lib), [r for r in rest if r != 'short'], short)
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(Program.list, all_programs))
        chosen = choose(all_programs, short)
        list(pool.map(lambda c: c[0].fail(c[1]), chosen))
    table(all_programs, chosen)
    bad = [(p, *b) for p in all_programs for b in p.bad]
    for p, outcome, key, where in bad:
        print(f'{outcome}: {p.name}: {key[0]} fails at {" < ".join(key[1:6])}\n    found at {" < ".join(where[:8])}')
    failures = sum(b[1] != 'hang in test' for b in bad)
    print(f'{len(chosen)} allocations failed in {len({p.name for p, _ in chosen})} programs, {failures} failures, '
          f'{time.monotonic() - begin:.0f} s')
    print(f'[  {"PASSED" if not failures else "FAILED"}  ] {max(len(chosen) if not failures else failures, 1)} test(s)'
          + (', listed below' if failures else '.'))
    sys.exit(1 if failures else 0)


if __name__ == '__main__':
    main()
