"""10,000 and 200,000 endpoints with auth and aor, through the real server: memory and correctness; times are printed."""
import time
import unittest

import harness
from harness import Phone, Server, TRANSPORTS

SMALL, LARGE = 10000, 200000
MAX_SMALL = 60 << 20  # bytes resident
MAX_EACH = 1536  # bytes of each further endpoint with its auth and aor, beyond their templates

TEMPLATES = """
[phone](!)
type=endpoint
context=default
allow=ulaw
rewrite_contact=yes
callerid=Somebody <100>
[login](!)
type=auth
auth_type=userpass
password=secret
[place](!)
type=aor
max_contacts=2
"""


def pjsip(n):
    return TRANSPORTS + TEMPLATES + ''.join(
        f'[e{i}](phone)\nauth=e{i}\naors=e{i}\n[e{i}](login)\nusername=e{i}\n[e{i}](place)\n' for i in range(n))


def resident(server):
    with open(f'/proc/{server.process.pid}/status') as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith('VmRSS'))


def measure(n, use=None):
    """Seconds from the start to the ready line, and the bytes resident then."""
    server = Server(pjsip(n), {'modules.conf': '[modules]\nautoload=yes\n'})
    try:
        begun = time.monotonic()
        server.start()
        seconds, rss = time.monotonic() - begun, resident(server)
        if use:
            use(server)
        status = server.stop()
        assert status == 0, '\n'.join(server.log[-40:])
    finally:
        if server.process:
            server.stop()
        server.remove()
    return seconds, rss


@unittest.skipIf(harness.SLOW > 1, 'memory under a sanitizer says nothing')
class Load(unittest.TestCase):
    def use(self, n):
        def check(server):
            for i in (0, n // 2, n - 1):
                with Phone(server, f'e{i}') as phone:
                    self.assertEqual(phone.register().status, 200, i)
                    self.assertEqual(phone.register(password='wrong').status, 401, i)
            with Phone(server, f'e{n}') as phone:  # there is none of that name
                self.assertEqual(phone.register().status, 401)
        return check

    def test_memory(self):
        seconds, small = measure(SMALL, self.use(SMALL))
        print(f'{SMALL} endpoints: ready after {seconds:.2f} s, {small / 2**20:.1f} MiB')
        seconds, large = measure(LARGE, self.use(LARGE))
        each = (large - small) / (LARGE - SMALL)
        print(f'{LARGE} endpoints: ready after {seconds:.2f} s, {large / 2**20:.1f} MiB, {each:.0f} bytes each')
        self.assertLess(small, MAX_SMALL)
        self.assertLessEqual(each, MAX_EACH)


if __name__ == '__main__':
    harness.main()
