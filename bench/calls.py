"""Calls: what one costs the floor, res_sip and Kamailio. Run by scripts/bench as the traffic "calls".

BENCH_CALL_RATES (2500 7500) are calls a second: the CPU time of a call is the slope between the two. BENCH_CALL_MEASURE
(15) is the seconds measured at each.
"""
import json
import os
import statistics
import sys
import time

from generator import SERVER_CORE, failures, load, slope
from record import Record
from servers import BUILD, WITHOUT_PASSWORD, Floor, Kamailio, ResSip

LOW, HIGH = (float(r) for r in os.environ.get('BENCH_CALL_RATES', '2500 7500').split())
MEASURE = float(os.environ.get('BENCH_CALL_MEASURE', 15))
FLOOR_WARM, FLOOR_MEASURE = 2, 5
MESSAGES = 13  # INVITE 100 180 200 ACK BYE 200 with the caller; with the called phone all of these but 100
MUST = 0.5  # res_sip's CPU time of a call over Kamailio's
KEPT_UP = 0.97  # of the rate; a server that did less was not up to it


def rates(low, high):
    return '--rates', f'{low:g},{high:g},0'


def digest(result, low, high):
    """The figures of one run."""
    at_low, at_high, saturated = (result[f'at_{low:.0f}'], result[f'at_{high:.0f}'], result['saturated'])
    phases = (at_low, at_high, saturated)
    out = {'cpu_us': slope(at_low, at_high), 'low_us': at_low['cpu_us'], 'high_us': at_high['cpu_us'],
           'high_rate': at_high['rate'], 'saturated_us': saturated['cpu_us'], 'saturated_rate': saturated['rate'],
           'server_busy': saturated['server_busy'], 'generator_busy': at_high['generator_busy'],
           'messages': at_high['messages'] / max(at_high['units'], 1), 'memory_kib': at_high['memory_kib']}
    out.update({k: at_high[k] for k in ('p50_us', 'p99_us', 'p999_us')})
    out.update({k: at_high[k] for k in ('ringing_p50_us', 'ringing_p99_us') if k in at_high})
    for k in ('retransmissions', 'repeats', 'early_byes'):
        out[k] = sum(p[k] for p in phases)
    out['failures'] = sum(failures(p) for p in phases)
    return out


def run(server, warm):
    begun = time.monotonic()
    try:
        server.start()
        if isinstance(server, Floor):
            # As many messages a second: it takes one and sends one for each OPTIONS.
            low, high = (round(r * MESSAGES / 2) for r in (LOW, HIGH))
            out = digest(load(server, 'options', *rates(low, high), '--warm', FLOOR_WARM, '--measure', FLOOR_MEASURE),
                         low, high)
        else:
            out = digest(load(server, 'calls', *rates(LOW, HIGH), '--warm', warm, '--measure', MEASURE), LOW, HIGH)
    finally:
        server.stop()
    print(f'  {server.name:9} calls        {out["cpu_us"]:7.2f} us a unit, {out["saturated_rate"]:8.0f} a second '
          f'saturate, {time.monotonic() - begun:.0f} s', file=sys.stderr)
    return out


def one_round(runs, warm, with_kamailio):
    runs.setdefault('floor', []).append(run(Floor(SERVER_CORE), warm))
    runs.setdefault('res_sip', []).append(run(ResSip(SERVER_CORE, user=WITHOUT_PASSWORD), warm))
    if with_kamailio:
        runs.setdefault('kamailio', []).append(run(Kamailio(SERVER_CORE, config='kamailio-calls.cfg'), warm))


def summary(runs):
    counts = ('retransmissions', 'repeats', 'early_byes', 'failures')
    return {k: (sum if k in counts else statistics.median)([r[k] for r in runs]) for k in runs[0]}


def ratios(medians):
    echo = medians['floor']['cpu_us']
    ours, theirs = medians['res_sip'], medians.get('kamailio')
    out = {'res_sip_over_its_echo': ours['cpu_us'] / (echo * ours['messages'] / 2), 'must': MUST}
    if theirs:
        out.update({'kamailio_over_its_echo': theirs['cpu_us'] / (echo * theirs['messages'] / 2),
                    'res_sip_over_kamailio': ours['cpu_us'] / theirs['cpu_us'],
                    'saturated_over_kamailio': ours['saturated_us'] / theirs['saturated_us']})
    return out


def print_table(out, medians, table):
    echo = medians['floor']['cpu_us']
    out.print(f'\nCPU time of a call: the slope between {LOW:g} and {HIGH:g} calls a second. "Its echo": over the '
              f'floor\'s slope for as many messages ({echo:.2f} µs for one that comes and one that goes). Latency at '
              f'{HIGH:g} calls a second, from the moment the call was due.\n')
    out.print('| server | CPU µs a call | its echo | messages | µs to 180, p50 | p99 | µs to 200, p50 | p99 | p99.9 | '
              'saturated: calls/s | CPU µs a call | retransmissions | failures | memory MiB |')
    out.print('| --- |' + ' ---: |' * 13)
    for name in ('res_sip', 'kamailio'):
        if name not in medians:
            continue
        m = medians[name]
        out.print(f'| {name} | {m["cpu_us"]:.1f} | {m["cpu_us"] / (echo * m["messages"] / 2):.2f} | '
                  f'{m["messages"]:.1f} | {m.get("ringing_p50_us", 0):.0f} | {m.get("ringing_p99_us", 0):.0f} | {m["p50_us"]:.0f} | '
                  f'{m["p99_us"]:.0f} | {m["p999_us"]:.0f} | {m["saturated_rate"]:,.0f} | {m["saturated_us"]:.1f} | '
                  f'{m["retransmissions"] + m["repeats"]} | {m["failures"]} | {m["memory_kib"] / 1024:.0f} |')
        if m['high_rate'] < HIGH * KEPT_UP:
            out.print(f'\n{name} did not keep up with {HIGH:g} calls a second: {m["high_rate"]:.0f}.')
    if 'res_sip_over_kamailio' in table:
        out.print(f'\nres_sip / Kamailio: {table["res_sip_over_kamailio"]:.2f} (must: {MUST}); saturated '
                  f'{table["saturated_over_kamailio"]:.2f}.')


def measure(rounds, warm, with_kamailio, head, in_docs):
    """All rounds; head: the line that says on what."""
    runs = {}
    for i in range(rounds):
        print(f'calls, round {i + 1} of {rounds}', file=sys.stderr)
        one_round(runs, warm, with_kamailio)
    medians = {name: summary(r) for name, r in runs.items()}
    table = ratios(medians)
    out = Record('calls')
    out.print(f'{head}; {warm:g} s of load, then {MEASURE:g} s measured, at each rate; {rounds} rounds.')
    print_table(out, medians, table)
    out.keep(in_docs)
    with open(os.path.join(BUILD, 'bench-calls.json'), 'w') as f:
        json.dump({'rates': [LOW, HIGH], 'warm_s': warm, 'measure_s': MEASURE, 'rounds': rounds, 'ratios': table,
                   'medians': medians, 'runs': runs}, f, indent=1)
    print(f'\nAll figures: {os.path.join(BUILD, "bench-calls.json")}')
