"""What grows with the number of bindings and of pool threads: cost of a message, memory of a binding, time to start.

    RES_SIP_BUILD=build python3 bench/growth.py [--docs]          (make bench-growth)

BENCH_SIZES (1000 10000 100000 1000000) and BENCH_THREADS (1 2 8) are lists; BENCH_WARM (10) and BENCH_MEASURE (5) are
seconds. --docs puts plots and tables into docs; else they are in the build folder, as all figures are: bench-growth.json.
"""
import json
import os
import sqlite3
import subprocess
import sys

import servers
import svg
from record import Record
from servers import BUILD, ROOT, Floor, ResSip

SIZES = [int(n) for n in os.environ.get('BENCH_SIZES', '1000 10000 100000 1000000').split()]
THREADS = [int(n) for n in os.environ.get('BENCH_THREADS', '1 2 8').split()]
WARM = os.environ.get('BENCH_WARM', '10')
MEASURE = os.environ.get('BENCH_MEASURE', '5')
PLOTS = os.path.join(ROOT, 'docs') if '--docs' in sys.argv[1:] else BUILD
TRAFFICS = {'message': 'MESSAGE relayed', 'refresh': 'refresh', 'options': 'OPTIONS'}
SERVER_CORE, OWN_CORE = 0, 1
MAX_BINDING = 600  # bytes
MAX_GROWTH = 1.25  # cost at the largest size over that at the smallest
PATTERN = 'u1000000'  # the user whose binding the others are made of
ROWS = 10000  # inserted at a time


def load(server, traffics, warm=WARM, measure=MEASURE, users=None, more=()):
    argv = ['taskset', '-c', str(OWN_CORE), os.path.join(BUILD, 'bench', 'load'), *traffics, '--pid', str(server.pid),
            '--server', f'127.0.0.1:{server.udp}', '--realm', servers.REALM, '--warm', warm, '--measure', measure,
            '--users', str(users or server.users), *more]
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if r.returncode:
        raise RuntimeError(f'load ended with {r.returncode}\n{server.output()[-2000:]}')
    return json.loads(r.stdout)


def floor():
    """CPU microseconds of a message of the floor, at this moment: a machine is not as fast at one time as at another."""
    server = Floor(SERVER_CORE)
    try:
        s = load(server.start(), ['options'], '1', '2')[0]['saturated']
    finally:
        server.stop()
    return s['cpu_us'] * s['units'] / s['messages']


def cost(server):
    """CPU time of a message over the floor's just before and behind, by traffic. A message is one that the server takes
    or sends."""
    out = {}
    before = floor()
    for traffics in (('message', 'refresh'), ('options',)):
        results = load(server, traffics)
        behind = floor()
        for result in results:
            s = result['saturated']
            out[result['traffic']] = s['cpu_us'] * s['units'] / s['messages'] / ((before + behind) / 2)
            if s['unexpected'] + s['given_up']:
                print(f'  {result["traffic"]}: {s["unexpected"] + s["given_up"]} failures', file=sys.stderr)
        before = behind
    return out


def costs(what, cases):
    """What a message costs with each of the servers that cases names."""
    out = []
    for name, server in cases:
        try:
            out.append(cost(server.start()))
        finally:
            server.stop()
        print(f'  {name} {what}: {out[-1]}', file=sys.stderr)
    return out


def costs_by_size():
    return costs('bindings', ((n, ResSip(SERVER_CORE, users=n)) for n in SIZES))


def costs_by_threads():
    sizes = ('minimum_size', 'initial_size', 'max_size')
    return costs('threads', ((n, ResSip(SERVER_CORE, system='\n'.join(f'taskpool_{s}={n}' for s in sizes)))
                             for n in THREADS))


def resident(server):
    with open(f'/proc/{server.pid}/status') as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith('VmRSS'))


def store_bindings(path, n):
    """A real binding of one user, written down for n users: all that names it in the row is named anew."""
    db = sqlite3.connect(path)
    cursor = db.execute('SELECT * FROM contact WHERE aor = ?', (PATTERN,))
    pattern = cursor.fetchone()
    columns = [c[0] for c in cursor.description]
    insert = f'INSERT INTO change ({",".join(columns)}) VALUES ({",".join("?" * len(columns))})'
    swap = lambda v, user: v.replace(PATTERN, user) if isinstance(v, str) else \
        v.replace(PATTERN.encode(), user.encode()) if isinstance(v, bytes) else v
    for first in range(0, n, ROWS):
        names = (f'u{1000000 + i}' for i in range(first, min(n, first + ROWS)))
        with db:
            db.executemany(insert, [[swap(v, name) for v in pattern] for name in names])
    count = db.execute('SELECT count(*) FROM contact').fetchone()[0]
    db.close()
    return count


def start_with(n):
    """Seconds to ready and bytes resident without and with n stored bindings."""
    server = ResSip(SERVER_CORE, users=n, durable=True)
    try:
        server.start()
        empty = (server.ready_s, resident(server))
        load(server, ['register'], '0', '0.2', users=1)
        server.end_process()
        stored = store_bindings(server.path('state', 'location.db'), n)
        assert stored == n, stored
        server.start()
        full = (server.ready_s, resident(server))
    finally:
        server.stop()
    print(f'  {n} stored bindings: ready after {full[0]:.2f} s, without {empty[0]:.2f} s, '
          f'{(full[1] - empty[1]) / n:.0f} bytes each', file=sys.stderr)
    return {'empty_s': empty[0], 'full_s': full[0], 'empty_bytes': empty[1], 'full_bytes': full[1],
            'binding_bytes': (full[1] - empty[1]) / n}


def transaction_bytes(traffic):
    """Resident bytes that a unit leaves behind: of those of 15 seconds, all whose transactions are still kept."""
    server = ResSip(SERVER_CORE, users=1000)
    try:
        server.start()
        load(server, [traffic], '0', '2')
        before = resident(server)
        units = load(server, [traffic], '0', '15', more=('--rate', '5000'))[0]['saturated']['units']
        after = resident(server)
    finally:
        server.stop()
    return (after - before) / units


def write_plots(by_size, by_threads, starts):
    plots = {
        'growth-cost.svg': svg.plot('CPU time of a message', 'bindings', 'over the floor\'s', SIZES,
                                    {title: [c[t] for c in by_size] for t, title in TRAFFICS.items()}),
        'growth-threads.svg': svg.plot('CPU time of a message by pool threads', 'threads', 'over the floor\'s', THREADS,
                                       {title: [c[t] for c in by_threads] for t, title in TRAFFICS.items()}),
        'growth-memory.svg': svg.plot('Resident memory of a binding', 'bindings', 'bytes', SIZES,
                                      {'bytes a binding': [s['binding_bytes'] for s in starts]}, (MAX_BINDING, 'must')),
        'growth-start.svg': svg.plot('Time to start', 'endpoints, each with one stored binding', 'seconds', SIZES,
                                     {'with bindings': [s['full_s'] for s in starts],
                                      'configuration alone': [s['empty_s'] for s in starts]}),
    }
    for name, content in plots.items():
        with open(os.path.join(PLOTS, name), 'w') as f:
            f.write(content)


def main():
    servers.stop_on_signals()
    starts = [start_with(n) for n in SIZES]
    transactions = {t: transaction_bytes(t) for t in ('register',)}
    by_threads = costs_by_threads()
    by_size = costs_by_size()
    out = Record('growth')
    columns = ' | '.join(TRAFFICS.values())
    out.print('CPU time of a message, taken or sent, over the floor\'s at that moment.\n')
    out.print(f'| bindings | {columns}'
          ' | bytes a binding | ready, configuration alone | ready with bindings |\n| ---: |' + ' ---: |' * 6)
    for n, c, s in zip(SIZES, by_size, starts):
        out.print(f'| {n:,} | ' + ' | '.join(f'{c[t]:.2f}' for t in TRAFFICS) +
              f' | {s["binding_bytes"]:.0f} | {s["empty_s"]:.2f} s | {s["full_s"]:.2f} s |')
    growth = {t: by_size[-1][t] / by_size[0][t] for t in TRAFFICS}
    out.print(f'\nCost at {SIZES[-1]:,} bindings over that at {SIZES[0]:,}: ' +
          ', '.join(f'{title} {growth[t]:.2f}' for t, title in TRAFFICS.items()) + f' (must: {MAX_GROWTH}).')
    out.print(f'\n| pool threads | {columns} |\n| ---: |' + ' ---: |' * 3)
    for n, c in zip(THREADS, by_threads):
        out.print(f'| {n} | ' + ' | '.join(f'{c[t]:.2f}' for t in TRAFFICS) + ' |')
    out.print(f'\nA completed transaction of REGISTER and the nonce that it used: {transactions["register"]:.0f} bytes '
              'resident.')
    out.keep('--docs' in sys.argv[1:])
    write_plots(by_size, by_threads, starts)
    with open(os.path.join(BUILD, 'bench-growth.json'), 'w') as f:
        json.dump({'sizes': SIZES, 'threads': THREADS, 'cost_by_size': by_size, 'cost_by_threads': by_threads,
                   'starts': starts, 'transaction_bytes': transactions, 'growth': growth}, f, indent=1)


if __name__ == '__main__':
    main()
