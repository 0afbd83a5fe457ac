"""
The soak: hours of phones that come and go against the real server, and its memory flat at the end.

SOAK_SECONDS (3600), SOAK_RATE (steps of phones a second). Each interval a line is printed; the first tenth, at least
what a transaction is kept for (Timer J), is the warm-up. It begins with bursts, in which each thread gets the blocks that
it keeps for later (bounded, but filled slowly otherwise). Over the rest the least-squares slope of the resident
memory, extrapolated to an hour, has a bound, which is asserted when the rest is long enough to say anything of an hour.
When the traffic has ended every table must become empty.
"""
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'scenario'))
import harness
from actors import World, cast
from harness import Server, TRANSPORTS, phone_sections

SECONDS = float(os.environ.get('SOAK_SECONDS', '3600'))
RATE = float(os.environ.get('SOAK_RATE', '25'))
SHORT = SECONDS < 120
T1_MS = 100 if SHORT else 500  # Timer J is 64 of these
KEPT = 64 * T1_MS / 1000
BURST = 0 if SHORT else 200  # steps that each actor takes at once in the beginning
FLOOD = os.path.join(harness.BUILD, 'tests', 'soak', 'flood')
LONGEST = 8 if SHORT else 60  # seconds that a binding lives
LINES = 60
MEANS_SOMETHING = 1200  # seconds behind the warm-up from which on the slope is asserted
SLOPE_BYTES, SLOPE_SHARE = 1 << 20, 0.02  # an hour's growth: less than this and that share of what is resident

USERS = [f'u{i}' for i in range(40)]
CHATTERS = [f'{way}{i}' for i in range(4) for way in ('from', 'to')]
AOR = 'max_contacts=20\nremove_existing=yes\nminimum_expiration=1'
FIXED = TRANSPORTS + f'[system]\ntype=system\ntimer_t1={T1_MS}\ntimer_b={64 * T1_MS}\n' + \
    ''.join(phone_sections(u, aor=AOR, endpoint='rewrite_contact=yes') for u in USERS + CHATTERS)
FILES = {'modules.conf': '[modules]\nautoload=yes\n',
         'res_sip.conf': '[log]\nlevel=error\n[limits]\ntcp_half_open_s=5\n'}
BROKEN = ['[bad]\ntype=endpoint\nrewrite_contcat=yes\n', '[bad]\ntype=aor\nmax_contacts=many\n',
          '[bad](no_such_template)\ntype=aor\n', '[bad]\ntype=endpoint\naors=nobody\n', '#include missing.conf\n']


def good(version):
    crowd = ''.join(f'[c{i}](crowd)\n' for i in range(50))
    return FIXED + f'\n[crowd](!)\ntype=endpoint\ncontext=v{version}\n{crowd}' + \
        (phone_sections('guest', password=str(version)) if version % 2 else '')


def broken(version):
    return good(version) + BROKEN[version % len(BROKEN)]


COLUMNS = [('s', 7), ('RSS KiB', 9), ('heap KiB', 9), ('fds', 5), ('threads', 8), ('trans.', 7), ('conn.', 6),
           ('aors', 5), ('bindings', 9), ('timers', 7), ('CPU s', 7)]


class Watch:
    """The figures of the server at one moment, and all that were taken before."""

    def __init__(self, server):
        self.server, self.begun, self.rows = server, time.monotonic(), []

    def proc(self, name):
        with open(f'/proc/{self.server.process.pid}/{name}') as f:
            return f.read()

    def sample(self):
        status = dict(line.split(':', 1) for line in self.proc('status').splitlines())
        cpu = self.proc('stat').rpartition(')')[2].split()
        memory = self.server.cli('core', 'show', 'memory', as_json=True)
        pool = self.server.cli('core', 'show', 'taskpool', as_json=True)
        row = (time.monotonic() - self.begun, int(status['VmRSS'].split()[0]), memory['heap_used'] // 1024,
               len(os.listdir(f'/proc/{self.server.process.pid}/fd')), int(status['Threads']),
               memory['server_transactions'] + memory['client_transactions'], memory['connections'], memory['aors'],
               memory['bindings'], pool['timers'],
               (int(cpu[11]) + int(cpu[12])) / os.sysconf('SC_CLK_TCK'))
        self.rows.append(row)
        print(' '.join(f'{v:{w}.1f}' if isinstance(v, float) else f'{v:{w}}' for v, (_, w) in zip(row, COLUMNS)),
              flush=True)
        return row

    def wait_idle(self, seconds):
        end = time.monotonic() + seconds
        while not self.idle() and time.monotonic() < end:
            time.sleep(0.5)
        return self.idle()

    def idle(self):
        """Nothing left but what the server always has."""
        memory = self.server.cli('core', 'show', 'memory', as_json=True)
        return all(memory[k] == 0 for k in ('server_transactions', 'client_transactions', 'connections', 'aors',
                                            'bindings', 'pending_changes'))


def slope(points):
    """Least squares: how much y grows for each x."""
    n = len(points)
    mx, my = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    across = sum((x - mx) ** 2 for x, _ in points)
    return sum((x - mx) * (y - my) for x, y in points) / across if across else 0.0


class Soak(unittest.TestCase):
    def setUp(self):
        self.server = Server(good(1), FILES).start()
        self.watch = Watch(self.server)

    def tearDown(self):
        status = self.server.stop() if self.server.process else 0
        log = '\n'.join(self.server.log[-60:])
        self.server.remove()
        self.assertEqual(status, 0, log)

    def warm_up(self):
        argv = [FLOOD, '-a', '127.0.0.1', '-p', str(self.server.ports['udp']), '-s', '10', '-r', '3000', '-t', '0',
                '-n', '0']
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)

    def play(self):
        if BURST:
            self.warm_up()
        world = World(self.server, USERS, RATE, LONGEST, BURST)
        actors = cast(world, good, broken)
        for a in actors:
            a.start()
        interval = max(SECONDS / LINES, 1)
        end = self.watch.begun + SECONDS
        self.watch.sample()
        while time.monotonic() < end and all(a.is_alive() for a in actors) and len(world.bad) < 20:
            world.over.wait(min(interval, max(end - time.monotonic(), 0)))
            self.watch.sample()
        world.over.set()
        for a in actors:
            a.join(harness.DEADLINE * 3)
        return world, [a.failure for a in actors if a.failure]

    def flat(self):
        warm = max(SECONDS / 10, KEPT + 8)
        rest = [(r[0], r[1]) for r in self.watch.rows if r[0] >= warm]
        if len(rest) < 3:
            print('too short to say how the memory goes')
            return
        hour, bound = slope(rest) * 3600, SLOPE_BYTES / 1024 + SLOPE_SHARE * rest[0][1]
        print(f'RSS from {warm:.0f} s on: {rest[0][1]} to {rest[-1][1]} KiB, slope {hour:+.0f} KiB an hour, '
              f'bound {bound:.0f}')
        if rest[-1][0] - rest[0][0] >= MEANS_SOMETHING:
            self.assertLess(hour, bound)

    def test_traffic_leaves_nothing_behind(self):
        print(f'\n{SECONDS:.0f} s at {RATE:g} steps a second')
        print(' '.join(f'{n:>{w}}' for n, w in COLUMNS), flush=True)
        world, failures = self.play()
        empty = self.watch.wait_idle((KEPT + LONGEST + 20) * harness.SLOW)
        self.watch.sample()
        for what in sorted(world.counts):
            print(f'{world.counts[what]:9} {what}')
        errors = [line for line in self.server.log if ' ERROR' in line]
        print(f'{len(errors)} lines of level error, the last: {errors[-1] if errors else "none"}')
        self.assertEqual(failures, [])
        self.assertEqual(world.bad, [])
        self.assertTrue(empty, self.server.cli('core', 'show', 'memory'))
        self.flat()


if __name__ == '__main__':
    harness.main()
