"""What grows with the number of calls that are up: memory of a leg, cost of a request inside one of them.

    RES_SIP_BUILD=build python3 bench/calls_growth.py [--docs]          (make bench-calls-memory)

BENCH_CALLS (1000 10000 100000) is a list; the cost of an INFO is the slope between the two BENCH_INSIDE_RATES (1000
4000), after BENCH_WARM (35) seconds of each, in BENCH_MEASURE (10) seconds. BENCH_FILL (1000) calls a second come up;
memory is read BENCH_SETTLE (40) seconds later, when their transactions are gone. --docs puts plots and tables into
docs; else they are in the build folder, as all figures are: bench-calls-memory.json.
"""
import json
import os
import sys

import growth
import servers
import svg
from generator import SERVER_CORE, failures, load, slope
from record import Record
from servers import BUILD, WITHOUT_PASSWORD, ResSip

CALLS = [int(n) for n in os.environ.get('BENCH_CALLS', '1000 10000 100000').split()]
LOW, HIGH = (float(r) for r in os.environ.get('BENCH_INSIDE_RATES', '1000 4000').split())
WARM = os.environ.get('BENCH_WARM', '35')
MEASURE = os.environ.get('BENCH_MEASURE', '10')
FILL = os.environ.get('BENCH_FILL', '1000')
SETTLE = os.environ.get('BENCH_SETTLE', '40')
MAX_LEG = 4096  # bytes
MAX_GROWTH = 1.25  # cost of a request with the most calls up over that with the fewest
LEGS = 2
MESSAGES = 4  # INFO comes and goes on, so does its 200


def with_calls(n):
    """Bytes of a leg and cost of an INFO with n calls up. Half of the calls come first: between half and all of them
    there is no other difference than legs, not even what transactions leave behind in the allocator."""
    server = ResSip(SERVER_CORE, user=WITHOUT_PASSWORD)
    before = growth.floor()
    try:
        server.start()
        r = load(server, 'inside', '--calls', f'{n // 2},{n}', '--fill', FILL, '--settle', SETTLE, '--warm', WARM,
                 '--measure', MEASURE, '--rates', f'{LOW:g},{HIGH:g}')
    finally:
        server.stop()
    floor = (before + growth.floor()) / 2
    kib = {k: r[k]['memory_kib'] for k in ('before', f'up_{n // 2}', f'up_{n}')}
    low, high = r[f'at_{LOW:.0f}'], r[f'at_{HIGH:.0f}']
    us = slope(low, high)
    out = {
        'memory_kib': kib, 'leg_bytes': (kib[f'up_{n}'] - kib['before']) * 1024 / (n * LEGS),
        'leg_slope_bytes': (kib[f'up_{n}'] - kib[f'up_{n // 2}']) * 1024 / ((n - n // 2) * LEGS),
        'info_us': us, 'info_over_floor': us / (floor * MESSAGES), 'p99_us': high['p99_us'],
        'failures': failures(low) + failures(high), 'run': r,
    }
    print(f'  {n} calls: {out["leg_bytes"]:.0f} bytes a leg (the second half {out["leg_slope_bytes"]:.0f}), INFO '
          f'{us:.2f} us, {out["info_over_floor"]:.2f} of the floor\'s, {out["failures"]} failures', file=sys.stderr)
    return out


def write_plots(results):
    plots = {
        'calls-memory.svg': svg.plot('Resident memory of a leg', 'calls up', 'bytes', CALLS,
                                     {'bytes a leg': [r['leg_bytes'] for r in results],
                                      'of the second half': [r['leg_slope_bytes'] for r in results]},
                                     (MAX_LEG, 'must')),
        'calls-cost.svg': svg.plot('CPU time of an INFO in a call', 'calls up', 'over the floor\'s for its messages',
                                   CALLS, {'INFO': [r['info_over_floor'] for r in results]},
                                   (results[0]['info_over_floor'] * MAX_GROWTH, 'must')),
    }
    for name, content in plots.items():
        with open(os.path.join(growth.PLOTS, name), 'w') as f:
            f.write(content)


def main():
    servers.stop_on_signals()
    results = [with_calls(n) for n in CALLS]
    out = Record('calls-memory')
    out.print(f'{FILL} calls a second came up; memory {SETTLE} s later; INFO: the slope between {LOW:g} and {HIGH:g} a '
              'second.\n')
    out.print('| calls up | bytes a leg | of the second half | INFO, CPU µs | over the floor\'s for 4 messages | '
              'p99 µs | failures |\n|' + ' ---: |' * 7)
    for n, r in zip(CALLS, results):
        out.print(f'| {n:,} | {r["leg_bytes"]:.0f} | {r["leg_slope_bytes"]:.0f} | {r["info_us"]:.2f} | '
                  f'{r["info_over_floor"]:.2f} | {r["p99_us"]:.0f} | {r["failures"]} |')
    grown = results[-1]['info_over_floor'] / results[0]['info_over_floor']
    out.print(f'\nA leg with {CALLS[-1]:,} calls up: {results[-1]["leg_bytes"]:.0f} bytes (must: {MAX_LEG}). Cost '
              f'of an INFO then over that with {CALLS[0]:,}: {grown:.2f} (must: {MAX_GROWTH}).')
    out.keep('--docs' in sys.argv[1:])
    write_plots(results)
    with open(os.path.join(BUILD, 'bench-calls-memory.json'), 'w') as f:
        json.dump({'calls': CALLS, 'rates': [LOW, HIGH], 'results': results, 'growth': grown}, f, indent=1)


if __name__ == '__main__':
    main()
