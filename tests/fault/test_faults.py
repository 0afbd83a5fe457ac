"""The real server with its allocations and system calls failing: it refuses to start and says why, or goes on.

After each fault the same conversation works again without a restart, and what was answered 200 is there after kill -9.
RES_SIP_FAULTS=full lets each site fail by itself, with each of its errors; otherwise a fixed sample does.
"""
import concurrent.futures
import os
import random
import re
import signal
import threading
import time
import unittest

from fault_server import CALLS, Control, Conversation, FaultServer, harness

FULL = os.environ.get('RES_SIP_FAULTS') == 'full'
WORKERS = 2
SAMPLE = 40        # short: see sample()
PASSES = 400       # conversations until every site has failed
KILL_EVERY = 10    # faults between two kill -9
# What a refusal has to say: an error of the log or of the configuration's files, or the program's own line.
ERROR_LINE = re.compile(r' ERROR[ \[]|^res_sipd: |^\w+\.conf(:\d+)?: (?!warning)')

OUTCOMES = ('refused to start', 'refused', 'unnoticed', 'not reached', 'crashes', 'other failures')
rows = {}
failures = []
lock = threading.Lock()


def count(phase, outcome, sites=0):
    with lock:
        row = rows.setdefault(phase, {'sites': 0, 'faults': 0, **{o: 0 for o in OUTCOMES}})
        row['sites'] += sites
        if outcome:
            row['faults'] += 1
            row[outcome] += 1


def failed(phase, what, error):
    count(phase, 'crashes' if 'crash' in str(error) or 'died' in str(error) else 'other failures')
    with lock:
        failures.append(f'{phase}: {what}: {error}')


def tearDownModule():
    if not rows:
        return
    print(f'\n{"fault during":22}' + ''.join(f'{c:>18}' for c in ('sites', 'faults', *OUTCOMES)))
    for phase, row in rows.items():
        print(f'{phase:22}' + ''.join(f'{v:>18}' for v in row.values()))
    print(f'{sum(r["faults"] for r in rows.values())} faults, {sum(r["crashes"] for r in rows.values())} crashes, '
          f'{sum("is not there" in f for f in failures)} lost bindings')


class Rig:
    """A server, its conversation, and what is done around a fault."""

    def __init__(self):
        self.server = FaultServer()
        self.page = self.server.page
        self.conversation = Conversation(self.server)

    def start(self):
        """Without a fault."""
        self.page.disarm()
        self.server.clear_report()
        self.server.start()
        self.conversation.close()

    def restart(self):
        self.page.disarm()
        if self.server.process:
            self.server.kill()
        self.start()
        self.conversation.check_durable()

    def revive(self):
        """After a failure: another server, with nothing in it."""
        if self.server.process:
            self.server.kill()
        self.conversation.close()
        self.conversation.known = {}
        database = os.path.join(self.server.state, 'location.db')
        for name in (database, database + '-wal', database + '-shm'):
            if os.path.exists(name):
                os.remove(name)
        self.start()

    def alive(self):
        if not self.server.running():
            raise AssertionError(f'crash: status {self.server.process.poll()}: {self.server.crash()}')

    def what(self):
        """The fault that has just struck."""
        if not self.page.failed:
            return 'nothing'
        line = self.server.lines('fail')[-1]
        return f'{line.call} ({line.number}) at {" < ".join(self.server.symbols.places(line)[:5])}'

    def sites(self, do, everything=False):
        """The sites that do() passes, as lines of the report."""
        self.server.clear_report()
        self.page.arm('list', everything=everything)
        do()
        self.page.disarm()
        found = {line.hash: line for line in self.server.lines('site')}
        return sorted(found.values(), key=lambda line: line.hash)

    def close(self):
        self.conversation.close()
        if self.server.process:
            self.server.kill()
        self.server.remove()


def cases(lines):
    """(site, variant): each with each of its errors."""
    return [(line, v) for line in lines for v in range(line.number)]


def sample(work):
    """Of the shuffled cases one of each site of the network and one of each other call, and SAMPLE of the rest."""
    first = {}
    for line, variant in work:
        key = (line.call, line.hash) if CALLS[line.call][1] == 'NET' else line.call
        first.setdefault(key, (line, variant))
    first = list(first.values())
    return first + [case for case in work if case not in first][:SAMPLE]


def share(work, one):
    """Gives the pieces of work to WORKERS rigs."""
    def run(part):
        rig = Rig()
        try:
            rig.start()
            for piece in part:
                one(rig, piece)
        finally:
            rig.close()
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(run, [work[i::WORKERS] for i in range(WORKERS)]))


class FaultTest(unittest.TestCase):
    def setUp(self):
        self.before = len(failures)

    def none_failed(self):
        found = failures[self.before:]
        self.assertFalse(found, '\n' + '\n'.join(found[:40]))


class Eyes(unittest.TestCase):
    """What these tests rely on."""

    def test_a_crash_is_seen_and_told(self):
        rig = Rig()
        self.addCleanup(rig.close)
        rig.start()
        rig.alive()
        os.kill(rig.server.process.pid, signal.SIGSEGV)
        rig.server.process.wait(harness.DEADLINE)
        with self.assertRaisesRegex(AssertionError, 'status -11: SEGV'):
            rig.alive()


class Traffic(FaultTest):
    """Faults in a server that works."""

    def each(self, phase, *names, everything):
        rig = Rig()
        self.addCleanup(rig.close)
        rig.start()
        rig.conversation.run(strict=True)
        rig.page.arm('each', *names, everything=everything)
        last, refusals = -1, 0
        for passes in range(PASSES):
            try:
                refused = rig.conversation.run(strict=False)
                rig.alive()
            except AssertionError as e:
                failed(phase, rig.what(), e)
                break
            refusals += bool(refused)
            if rig.page.failed == last and not refused:
                break
            last = rig.page.failed
        count(phase, None, sites=rig.page.sites)
        faults = len(rig.server.lines('fail'))
        with lock:
            rows[phase]['faults'] += faults
            rows[phase]['refused'] += refusals
            rows[phase]['unnoticed'] += faults - refusals
        if len(failures) == self.before:
            self.assertLess(passes, PASSES - 1, 'there was always another site')
            try:
                rig.page.disarm()
                rig.conversation.run(strict=True)
                rig.restart()
                rig.conversation.run(strict=True)
                rig.alive()
            except AssertionError as e:
                failed(phase, rig.what(), e)
        self.none_failed()

    def test_every_call_of_the_server_s_own_code_fails_and_it_goes_on(self):
        self.each('traffic, each own', everything=False)

    def test_every_call_of_its_libraries_fails_and_it_goes_on(self):
        self.each('traffic, each', 'mem', 'file', everything=True)

    def one(self, rig, piece):
        (line, variant), n = piece
        phase = 'traffic, one'
        try:
            for fresh in (False, True):  # some calls are made once in a process
                if fresh:
                    rig.restart()
                rig.page.arm('site', line.call, everything=True, site=int(line.hash, 16), variant=variant)
                refused = rig.conversation.run(strict=False)
                rig.alive()
                struck = rig.page.failed
                rig.page.disarm()
                if struck:
                    break
            rig.conversation.run(strict=True)
            rig.alive()
            if CALLS[line.call][1] == 'FILE' or n % KILL_EVERY == 0:
                rig.restart()
            count(phase, 'not reached' if not struck else 'refused' if refused else 'unnoticed')
        except AssertionError as e:
            failed(phase, rig.what(), e)
            rig.revive()

    @unittest.skipUnless(FULL, 'the long run')
    def test_each_site_fails_by_itself(self):
        rig = Rig()
        self.addCleanup(rig.close)
        rig.start()

        def talk():
            for _ in range(3):
                rig.conversation.run(strict=True)
        sites = rig.sites(talk, everything=True)
        count('traffic, one', None, sites=len(sites))
        share([(c, i) for i, c in enumerate(cases(sites))], self.one)
        self.none_failed()


class Life(FaultTest):
    """Faults while the server starts and stops."""

    def start_with(self, rig, line, variant):
        phase = 'start'
        rig.server.clear_report()
        rig.page.arm('site', line.call, everything=True, site=int(line.hash, 16), variant=variant)
        ready = rig.server.try_start()
        struck = rig.page.failed
        rig.page.disarm()
        if ready:
            rig.conversation.close()
            rig.conversation.run(strict=True)
            rig.alive()
            count(phase, 'unnoticed' if struck else 'not reached')
            return
        status = rig.server.stop()
        if status not in (1, 2):
            raise AssertionError(f'crash: it ended with {status}: {rig.server.crash()}')
        if not any(ERROR_LINE.search(text) for text in rig.server.log):
            raise AssertionError('it refused to start without a word:\n' + '\n'.join(rig.server.log))
        if FULL:
            print(f'{rig.what()}\n    status {status}: '
                  + '\n    '.join(t for t in rig.server.log if ERROR_LINE.search(t)))
        count(phase, 'refused to start')
        rig.start()

    def stop_with(self, rig, line, variant):
        rig.server.clear_report()
        rig.page.arm('site', line.call, everything=True, site=int(line.hash, 16), variant=variant)
        begin = time.monotonic()
        status = rig.server.stop()
        struck = rig.page.failed
        rig.page.disarm()
        if status != 0 or rig.server.crash():
            raise AssertionError(f'crash: it ended with {status}: {rig.server.crash()}')
        if time.monotonic() - begin > 8 * harness.SLOW:
            raise AssertionError('stopping took more than 8 s')
        count('stop', 'unnoticed' if struck else 'not reached')

    def one(self, rig, piece):
        start, stop = piece
        try:
            self.stop_with(rig, *stop)
        except AssertionError as e:
            failed('stop', rig.what(), e)
        try:
            self.start_with(rig, *start)
            if rig.server.running():
                rig.conversation.check_durable()
        except AssertionError as e:
            failed('start', rig.what(), e)
            rig.revive()

    def test_a_fault_at_start_or_stop_is_told_or_survived(self):
        rig = Rig()
        self.addCleanup(rig.close)
        start = rig.sites(rig.server.start, everything=True)
        rig.conversation.run(strict=True)
        stop = rig.sites(rig.server.stop, everything=True)
        count('start', None, sites=len(start))
        count('stop', None, sites=len(stop))
        start, stop = cases(start), cases(stop)
        rng = random.Random(4711)
        rng.shuffle(start)
        rng.shuffle(stop)
        if not FULL:
            start = sample(start)
        stop = [stop[i % len(stop)] for i in range(len(start))]
        share(list(zip(start, stop)), self.one)
        self.none_failed()


class ForGood(unittest.TestCase):
    """Faults that stay for a while."""

    def setUp(self):
        self.rig = Rig()
        self.addCleanup(self.rig.close)
        self.rig.start()
        self.page, self.conversation = self.rig.page, self.rig.conversation
        self.conversation.run(strict=True)

    def over(self):
        """The fault has gone: everything works, and what was answered is there."""
        self.rig.alive()
        self.page.disarm()
        self.conversation.run(strict=True)
        self.rig.restart()
        self.conversation.run(strict=True)
        self.assertEqual(self.rig.server.stop(), 0)

    def refused(self):
        return [step.split(':')[0] for step in self.conversation.run(strict=False)]

    def break_calls(self, *names, error, everything=True):
        variant = CALLS[names[0]][2].index(error)
        self.page.arm('nth', *names, everything=everything, n=1, good=1, variant=variant)

    def test_no_fsync_succeeds_and_no_registration_is_answered_200(self):
        self.break_calls('fsync', 'fdatasync', error='EIO')
        for _ in range(3):
            refused = self.refused()
            for step in ('register', 'register tcp', 'refresh', 'reachable'):
                self.assertIn(step, refused)
            self.assertNotIn('options', refused)
            self.assertNotIn('commands', refused)
        self.over()

    def test_the_disk_is_full_and_no_registration_is_answered_200(self):
        self.break_calls('pwrite', 'write', 'ftruncate', error='ENOSPC')
        refused = self.refused()
        self.assertIn('register', refused)
        self.assertNotIn('options', refused)
        self.over()

    def test_no_datagram_can_be_sent_for_two_seconds(self):
        self.break_calls('sendmmsg', error='ENOBUFS')
        end = time.monotonic() + 2
        while time.monotonic() < end:
            refused = self.refused()
            self.assertIn('options', refused)
            self.assertNotIn('options tcp', refused)
        self.over()

    def test_no_descriptor_is_left_for_connections(self):
        self.conversation.close()
        self.break_calls('accept4', error='EMFILE')
        before, begin = self.rig.server.cpu(), time.monotonic()
        phone = harness.Phone(self.rig.server, 'alice', transport='tcp')
        self.addCleanup(phone.close)
        phone.send(phone.request('OPTIONS'))
        control = Control(self.rig.server, harness.DEADLINE)
        self.addCleanup(control.sock.close)
        self.assertIsNone(phone.receive(1))
        used = (self.rig.server.cpu() - before) / (time.monotonic() - begin)
        self.assertLess(used, 0.3, 'it turns in circles')
        self.conversation.run(strict=False)
        self.page.disarm()
        # What waited is served without asking again.
        self.assertEqual(phone.receive().status, 401)
        control.run('core', 'show', 'version')
        self.over()

    def test_a_connection_that_cannot_be_watched_is_closed_at_once(self):
        self.page.arm('nth', 'epoll_ctl', n=1)
        phone = harness.Phone(self.rig.server, 'alice', transport='tcp')
        self.addCleanup(phone.close)
        phone.sock.settimeout(3 * harness.SLOW)
        self.assertEqual(phone.sock.recv(1), b'')
        self.assertEqual(self.page.failed, 1)
        self.over()

    def test_no_memory_for_a_second(self):
        self.page.arm('nth', 'mem', everything=True, n=1, good=1)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            self.refused()
        self.over()

    def test_no_socket_and_no_file_can_be_opened(self):
        self.page.arm('nth', 'socket', 'open', 'fopen', 'opendir', 'scandir', everything=True, n=1, good=1)
        refused = self.refused()
        self.assertNotIn('options', refused)
        self.assertIn('reload', refused)
        self.over()


if __name__ == '__main__':
    harness.main()
