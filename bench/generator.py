"""One run of the generator, bench/load, on a processor of its own."""
import json
import os
import subprocess

import servers
from servers import BUILD

SERVER_CORE, OWN_CORE = 0, 1


def load(server, traffic, *more):
    """What it printed for this traffic. more: further arguments."""
    argv = ['taskset', '-c', str(OWN_CORE), os.path.join(BUILD, 'bench', 'load'), traffic, '--pid', str(server.pid),
            '--server', f'127.0.0.1:{server.udp}', '--realm', servers.REALM, '--users', str(server.users),
            *(str(a) for a in more)]
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if r.returncode:
        raise RuntimeError(f'{server.name}, {traffic}: load ended with {r.returncode}\n{r.stdout[-2000:]}\n'
                           f'{server.output()[-2000:]}')
    return json.loads(r.stdout)[0]


def slope(low, high):
    """CPU microseconds that a further unit costs: what is done whether units come or not does not count."""
    per_second = lambda p: p['server_cpu_s'] / p['seconds']
    return (per_second(high) - per_second(low)) * 1e6 / (high['rate'] - low['rate'])


def failures(phase):
    return phase['unexpected'] + phase['given_up']
