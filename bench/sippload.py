"""Many calls from SIPp through res_sipd to SIPp: no call fails, memory stays flat.

    RES_SIP_BUILD=build python3 bench/sippload.py          (make bench-sipp)

`sipp -sn uac` calls `sipp -sn uas`. SIPP_SECONDS (600) at SIPP_RATE calls a second, by default 80 % of what saturates,
which is looked for first: the rate at which calls fail, are repeated, or come late. Ends with 1 when a call failed or
memory grew. The figures are in the build folder, too: bench-sipp.json.
"""
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import servers
from generator import OWN_CORE, SERVER_CORE
from record import Record
from servers import BUILD, RES_SIP, ResSip, free_port

SECONDS = float(os.environ.get('SIPP_SECONDS', '600'))
RATE = os.environ.get('SIPP_RATE')
SHARE = 0.8
TRIAL_S = 10
END_S = 0.5  # until it has seen that the last call has ended
FIRST_RATE, STEP = 250, 0.05  # the search ends when it knows the rate to 5 %
REPEATED = 0.001  # messages sent again, of the calls: more, and something is saturated
LATE = 0.97  # of the rate that was asked for
SETTLED_S = 60  # transactions go as fast as they come, and the allocator has what it needs
MAX_GROWN = 0.02  # of what is resident, in the rest of the time
SPARE_S = 60

# What both sides of SIPp need: it calls as "sipp" and is called as "service".
ENDPOINTS = """
[sipp]
type=endpoint
context=default
allow=ulaw
[service]
type=endpoint
context=default
allow=ulaw
aors=service
[service]
type=aor
contact=sip:service@127.0.0.1:{port}
"""
TRANSPORT = """
[udp]
type=transport
protocol=udp
bind=127.0.0.1:{port}
"""


class Server(ResSip):
    def __init__(self, core, called_port):
        super().__init__(core)
        self.called_port = called_port

    def configure(self):
        self.write('conf/pjsip.conf', TRANSPORT.format(port=self.udp) + ENDPOINTS.format(port=self.called_port))
        self.write('conf/res_sip.conf', RES_SIP.format(durable='no'))


class Sipp:
    """One SIPp with a scenario of its own, in a folder. core: None, or the processor that it is bound to."""

    def __init__(self, folder, *args, core=None):
        self.folder = tempfile.mkdtemp(prefix='sipp-', dir=folder)
        self.statistics = os.path.join(self.folder, 'statistics.csv')
        pin = [] if core is None else ['taskset', '-c', str(core)]
        self.process = subprocess.Popen(
            ['setpriv', '--pdeathsig', 'KILL', *pin, 'sipp', *(str(a) for a in args), '-i', '127.0.0.1', '-t', 'u1',
             '-nostdin', '-trace_err', '-trace_stat', '-stf', self.statistics, '-fd', '1'],
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self, seconds):
        return self.process.wait(seconds)

    def stop(self):
        """Ends it as its key q does, and if it does not, as nothing can help."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGUSR1)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def counts(self):
        """Its last line of statistics; all are numbers."""
        with open(self.statistics, newline='') as f:
            rows = list(csv.DictReader(f, delimiter=';'))
        if not rows:
            raise RuntimeError(f'SIPp has no statistics\n{self.errors()}')
        number = lambda name: float(rows[-1][name])
        return {'created': number('TotalCallCreated'), 'successful': number('SuccessfulCall(C)'),
                'failed': number('FailedCall(C)'), 'repeated': number('Retransmissions(C)'),
                'causes': {n[:-3]: number(n) for n in rows[-1]
                           if n and n.startswith('Failed') and n.endswith('(C)') and number(n)}}

    def errors(self):
        out = ''
        for name in os.listdir(self.folder):
            if name.endswith('_errors.log'):
                with open(os.path.join(self.folder, name), errors='replace') as f:
                    out += f.read(4000)
        return out


class Called(Sipp):
    def __init__(self, folder, port, core=None):
        super().__init__(folder, '-sn', 'uas', '-p', port, core=core)


class Caller(Sipp):
    """So many calls to "service" at so many a second."""

    def __init__(self, folder, server_port, rate, calls, core=None):
        self.rate, self.calls, self.begun = rate, calls, time.monotonic()
        super().__init__(folder, f'127.0.0.1:{server_port}', '-sn', 'uac', '-s', 'service', '-p', free_port(),
                         '-r', rate, '-m', calls, '-l', 100000, core=core)

    def finish(self, each_second=lambda: None):
        """Waits for its end; what it counted. Calls that have not ended when they all should have are failed."""
        end = self.begun + self.calls / self.rate * 2 + SPARE_S
        due = self.begun
        while self.process.poll() is None and time.monotonic() < end:
            if time.monotonic() >= due:
                each_second()
                due += 1
            time.sleep(0.05)
        out_of_time = self.process.poll() is None
        took = time.monotonic() - self.begun
        self.stop()
        out = self.counts()
        out['took'] = took
        missing = self.calls - out['successful'] - out['failed']
        if missing > 0:
            out['causes']['out of time' if out_of_time else f'ended with {self.process.returncode}'] = missing
            out['failed'] += missing
        return out


def cpu_s(pid):
    with open(f'/proc/{pid}/stat') as f:
        user, system = f.read().rsplit(')', 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')


def resident_kib(pid):
    with open(f'/proc/{pid}/status') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmRSS'))


def holds(server, rate):
    """Whether this rate is carried for some seconds with nothing failed, repeated or late."""
    calls = int(rate * TRIAL_S)
    before = cpu_s(server.pid)
    r = Caller(server.folder, server.udp, rate, calls, OWN_CORE).finish()
    busy = (cpu_s(server.pid) - before) / r['took']
    reached = calls / r['took']
    print(f'  {rate:.0f} calls a second: {reached:.0f} reached, {r["failed"]:.0f} failed, {r["repeated"]:.0f} messages '
          f'repeated, server busy {busy:.0%}', file=sys.stderr)
    on_time = reached >= rate * LATE * TRIAL_S / (TRIAL_S + END_S)
    return not r['failed'] and r['repeated'] <= calls * REPEATED and on_time


def find_saturation(server):
    low, high = 0, FIRST_RATE
    while holds(server, high):
        low, high = high, high * 2
    while high - low > low * STEP and high - low > 1:
        middle = (low + high) / 2
        low, high = (middle, high) if holds(server, middle) else (low, middle)
    return low


def line(samples):
    """Least squares through (seconds, KiB): KiB a second."""
    n = len(samples)
    x, y = sum(s[0] for s in samples) / n, sum(s[1] for s in samples) / n
    spread = sum((s[0] - x) ** 2 for s in samples)
    return sum((s[0] - x) * (s[1] - y) for s in samples) / spread if spread else 0


def memory_figures(samples):
    settled = [s for s in samples if s[0] >= SETTLED_S] or samples[-1:]
    slope = line(settled)
    grown = slope * (settled[-1][0] - settled[0][0])
    return {'first_kib': samples[0][1], 'settled_kib': settled[0][1], 'last_kib': samples[-1][1],
            'kib_a_minute': slope * 60, 'grown': grown / settled[0][1], 'settled_s': settled[-1][0] - settled[0][0]}


def long_run(server, called, rate):
    begun, samples, before = time.monotonic(), [], cpu_s(server.pid)
    caller = Caller(server.folder, server.udp, rate, int(rate * SECONDS), OWN_CORE)
    result = caller.finish(lambda: samples.append((time.monotonic() - begun, resident_kib(server.pid))))
    result['busy'] = (cpu_s(server.pid) - before) / result['took']
    time.sleep(5)  # the called side waits 4 s before it counts a call
    result['called'] = called.counts()
    result['caller_errors'] = caller.errors()
    result['memory'] = memory_figures(samples)
    result['samples'] = samples
    return result


def main():
    servers.stop_on_signals()
    port = free_port()
    server = Server(SERVER_CORE, port)
    called = None
    try:
        server.start()
        called = Called(server.folder, port, OWN_CORE)
        saturated = None if RATE else find_saturation(server)
        rate = float(RATE) if RATE else saturated * SHARE
        earlier = 0 if saturated is None else called.counts()['failed']
        r = long_run(server, called, rate)
        said = f'{r["caller_errors"]}\n{called.errors()}\n{server.output()[-2000:]}'
    finally:
        if called:
            called.stop()
        server.stop()
    memory = r['memory']
    failed = r['failed'] + r['called']['failed'] - earlier
    if failed:
        print(f'failed calls: caller {r["causes"]}, called {r["called"]["causes"]}\n{said}', file=sys.stderr)
    flat = memory['grown'] <= MAX_GROWN or memory['settled_s'] < SETTLED_S
    out = Record('sipp')
    out.print('SIPp calls SIPp through res_sipd; SIPp\'s two sides have one processor, res_sipd the other.\n')
    out.print('| saturating calls/s | calls/s | seconds | calls | failed | messages repeated | server busy | resident '
              f'MiB at {SETTLED_S} s | at the end | KiB a minute |\n|' + ' ---: |' * 10)
    out.print(f'| {"–" if saturated is None else format(saturated, ".0f")} | {rate:.0f} | {r["took"]:.0f} | '
              f'{r["successful"]:.0f} | {failed:.0f} | {r["repeated"]:.0f} | {r["busy"]:.0%} | '
              f'{memory["settled_kib"] / 1024:.1f} | {memory["last_kib"] / 1024:.1f} | {memory["kib_a_minute"]:.1f} |')
    out.print(f'\nMust: no failed call, memory that grows by no more than {MAX_GROWN:.0%} after {SETTLED_S} s '
              f'({memory["grown"]:.2%}).')
    out.keep('--docs' in sys.argv[1:])
    with open(os.path.join(BUILD, 'bench-sipp.json'), 'w') as f:
        json.dump({'saturated': saturated, 'rate': rate, 'result': r}, f, indent=1)
    sys.exit(1 if failed or not flat else 0)


if __name__ == '__main__':
    main()
