"""How long the real server takes from its start to ready with many endpoints (each with auth and aor), and its memory.

    RES_SIP_BUILD=build python3 bench/endpoints.py [n]...        (default: 10000 200000)
"""
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'scenario'))

from test_load import measure  # noqa: E402

RUNS = 5


def main():
    counts = [int(a) for a in sys.argv[1:]] or [10000, 200000]
    empty = measure(0)[1]
    print('| endpoints | ready after | resident | bytes each |\n| ---: | ---: | ---: | ---: |')
    for n in counts:
        runs = [measure(n) for _ in range(RUNS)]
        seconds, rss = statistics.median(r[0] for r in runs), statistics.median(r[1] for r in runs)
        print(f'| {n:,} | {seconds:.2f} s | {rss / 2**20:.1f} MiB | {(rss - empty) / n:.0f} |')
    print(f'\nResident without any endpoint: {empty / 2**20:.1f} MiB. Medians of {RUNS} runs.')


if __name__ == '__main__':
    main()
