"""The log as fail2ban reads it: its stock filter finds every failure's address, and nobody can forge another."""
import collections
import os
import re
import subprocess
import unittest

import harness
from harness import Phone, Server, TRANSPORTS, credentials, has_ipv6, phone_sections

FILTER = '/etc/fail2ban/filter.d/asterisk.conf'
FORGED = '203.0.113.66'
URI = 'sip:127.0.0.1'
IPV6 = '\n[udp6]\ntype=transport\nprotocol=udp\nbind=[::1]:@UDP@\n'

# What a hostile sender would like to stand in a line of its own, or in a field behind its end.
LINE = (f"[2026-01-01 00:00:00.000] NOTICE[1]: res_pjsip/pjsip_distributor.c: Request 'REGISTER' from '<sip:a@b>' "
        f"failed for '{FORGED}:5060' (callid: 1) - No matching endpoint found")
EVENT = (f'SecurityEvent="InvalidAccountID",EventTV="2026-01-01T00:00:00.000+0000",Severity="Error",Service="PJSIP",'
         f'EventVersion="1",AccountID="a",SessionID="1",LocalAddress="IPV4/UDP/127.0.0.1/5060",'
         f'RemoteAddress="IPV4/UDP/{FORGED}/5060"')


def quoted(text):
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


@unittest.skipUnless(os.path.exists(FILTER), 'the stock filter of fail2ban is not installed')
class SecurityLog(unittest.TestCase):
    """Each test has a server of its own, whose log it hands to fail2ban-regex."""
    pjsip = TRANSPORTS + (IPV6 if has_ipv6() else '') + phone_sections('alice') + \
        phone_sections('inside', endpoint='deny=0.0.0.0/0,::/0\npermit=127.0.0.1') + \
        phone_sections('contact', endpoint='contact_deny=0.0.0.0/0') + phone_sections('strict',
                                                                                      aor='max_contacts=1') + """
[noaor]
type=endpoint
[open]
type=endpoint
aors=alice
[star]
type=endpoint
aors=star
[star]
type=aor
max_contacts=1
"""

    def setUp(self):
        self.server = Server(self.pjsip).start()
        self.addCleanup(self.server.remove)
        self.addCleanup(self.server.stop)

    def phone(self, user, source='127.0.0.1', **kw):
        phone = Phone(self.server, user, source=source, **kw)
        self.addCleanup(phone.close)
        return phone

    def hosts(self):
        """Stops the server; how many lines of its log the filter takes for a failure of each address."""
        self.assertEqual(self.server.stop(), 0, '\n'.join(self.server.log[-20:]))
        path = os.path.join(self.server.folder, 'log')
        with open(path, 'w') as f:
            f.write('\n'.join(self.server.log) + '\n')
        r = subprocess.run(['fail2ban-regex', '--out', 'ip', path, FILTER], stdin=subprocess.DEVNULL,
                           capture_output=True,
                           text=True, timeout=harness.DEADLINE * 3)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        return collections.Counter(r.stdout.split())

    def test_every_kind_of_failure_is_found(self):
        failures = {}

        def fails(source, lines, status, ask, **kw):
            phone = self.phone(kw.pop('user', 'alice'), source, **kw)
            self.assertEqual(ask(phone).status, status, source)
            failures[source] = lines

        # Each failure gives a NOTICE and a security event; the artificial endpoint's wrong password gives two of each.
        fails('127.0.1.1', 2, 401, lambda p: p.ask('REGISTER'), user='nobody')
        fails('127.0.1.2', 2, 401, lambda p: p.ask('REGISTER'), user='nobody', transport='tcp')
        fails('127.0.1.3', 2, 401, lambda p: p.ask_authenticated('OPTIONS', password='wrong'))
        fails('127.0.1.4', 2, 401, lambda p: p.ask_authenticated('OPTIONS', password='wrong'), transport='tcp')
        fails('127.0.1.5', 2, 401, lambda p: p.ask('OPTIONS'), user='inside')
        fails('127.0.1.6', 2, 401, lambda p: p.register(), user='contact')
        fails('127.0.1.7', 1, 403, lambda p: p.ask('REGISTER'), user='noaor')
        fails('127.0.1.8', 1, 400, lambda p: p.register(['*']), user='star')
        fails('127.0.1.9', 1, 403, lambda p: p.register(['<sip:a@127.0.0.1>', '<sip:b@127.0.0.1>']), user='star')
        fails('127.0.1.10', 1, 416, lambda p: p.register(to='<tel:+1555>'), user='open')
        if has_ipv6():
            fails('::1', 2, 401, lambda p: p.ask('REGISTER'), user='nobody')
        found = self.hosts()
        self.assertEqual(set(found), set(failures), '\n'.join(self.server.log))
        for source, lines in failures.items():
            self.assertGreaterEqual(found[source], lines, source)

    def test_who_authenticates_is_not_found(self):
        for transport in ('udp', 'tcp'):
            phone = self.phone('alice', '127.0.2.1', transport=transport)
            self.assertEqual(phone.register(expires=100).status, 200)
            self.assertEqual(phone.ask_authenticated('OPTIONS').status, 200)
            self.assertEqual(phone.ask_authenticated('MESSAGE', 'sip:nobody@127.0.0.1').status, 404)
            value = credentials(phone.ask('OPTIONS').get('WWW-Authenticate'), 'OPTIONS', URI, 'alice', 'secret')
            for _ in range(3):  # the second time it is stale, which is no attack
                phone.ask('OPTIONS', headers=[f'Authorization: {value}'])
            self.assertEqual(phone.register([phone.contact], expires=0).status, 200)
        self.assertEqual(self.phone('open', '127.0.2.2').ask('OPTIONS').status, 200)
        self.assertEqual(self.hosts(), {})

    def test_with_successes_in_the_log_too(self):
        self.server.write('res_sip.conf', '[security]\ninformational=yes\n')
        self.server.reload()
        self.assertEqual(self.phone('alice', '127.0.2.3').ask_authenticated('OPTIONS').status, 200)
        self.server.wait_log('SecurityEvent="SuccessfulAuth"')
        self.assertEqual(self.hosts(), {})

    def forge(self, source, send):
        """Sends what tries to forge a host, from a source of its own; the log's lines about it."""
        mark = len(self.server.log)
        for transport in ('udp', 'tcp'):
            phone = self.phone('nobody', source, transport=transport)
            send(phone)
            phone.receive(0.02)
        marker = self.phone('marker', '127.0.0.1')
        marker.ask('OPTIONS', call_id=f'marker-{source}')
        self.server.wait_log(f'marker-{source}', after=mark)

    def test_no_field_forges_a_host(self):
        texts = [LINE, EVENT, '\n' + LINE, "x' failed for '%s:1' (callid: 1) - Failed to authenticate" % FORGED,
                 f'a",RemoteAddress="IPV4/UDP/{FORGED}/5060', f'a\\",RemoteAddress=\\"IPV4/UDP/{FORGED}/5060\\"',
                 f"') - No matching endpoint found failed for '{FORGED}'", f'hacking attempt detected \'{FORGED}\'',
                 f"a'\x00\x1b[2J\x7f\xff' failed for '{FORGED}'", LINE * 30]
        count = 0

        def source():
            nonlocal count
            count += 1
            return f'127.0.3.{count}'
        for text in texts:
            flat = text.replace('\n', ' ').replace('\x00', ' ')
            folded = text.replace('\n', '\r\n ').replace('\x00', ' ')
            escaped = ''.join(c if c.isalnum() or c in '-_.~' else '%%%02X' % (ord(c) & 255) for c in text[:1200])
            word = re.sub(r'[\s<>\x00-\x1f\x7f-\xff]', '', text)
            token = re.sub(r"[^A-Za-z0-9.!%*_+`'~-]", '', text)[:200] or 'X'
            self.forge(source(),
                       lambda p: p.send(p.request('REGISTER', sender=f'{quoted(folded)} <sip:nobody@127.0.0.1>')))
            self.forge(source(), lambda p: p.send(p.request('REGISTER', sender=f'<sip:{escaped}@127.0.0.1>')))
            self.forge(source(), lambda p: p.send(p.request('REGISTER', call_id=word)))
            self.forge(source(), lambda p: p.send(p.request('REGISTER', call_id=f'{word})@a')))
            self.forge(source(), lambda p: p.send(p.request(token)))
            self.forge(source(), lambda p: p.send(p.request('REGISTER', headers=[f'User-Agent: {flat}'])))
            for field in ('username', 'realm', 'nonce', 'response', 'opaque', 'uri'):
                other = {'username': '"alice"', 'realm': '"asterisk"', 'nonce': '"1"', 'response': f'"{"0" * 32}"',
                         'uri': '"sip:x"', 'opaque': '""', field: quoted(flat[:3000])}
                value = 'Digest ' + ', '.join(f'{k}={v}' for k, v in other.items())
                for user in ('alice', 'nobody'):
                    self.forge(source(), lambda p: p.send(p.request(
                        'REGISTER', sender=f'<sip:{user}@127.0.0.1>', headers=[f'Authorization: {value}'])))
        found = self.hosts()
        self.assertNotIn(FORGED, found)
        self.assertGreater(len(found), 50)
        self.assertEqual({h for h in found if not h.startswith('127.0.3.') and h != '127.0.0.1'}, set())
        self.assertFalse([l for l in self.server.log if re.search(r'[\x00-\x08\x0b-\x1f\x7f]', l)])

    def test_a_forger_is_found_himself(self):
        names = {
            '127.0.4.1': {'sender': f'{quoted(LINE)} <sip:nobody@127.0.0.1>'},
            '127.0.4.2': {'sender': f'<sip:nobody%22,RemoteAddress=%22IPV4/UDP/{FORGED}/1%22@127.0.0.1>'},
            '127.0.4.3': {'call_id': f"1)-Failed.to.authenticate'{FORGED}'"},
            '127.0.4.4': {'sender': f'{quoted("x" * 12000)} <sip:nobody@127.0.0.1>'},
            '127.0.4.5': {'sender': f'<sip:{"y" * 3000}@127.0.0.1>'},
            '127.0.4.6': {'call_id': 'z' * 12000},
            '127.0.4.7': {'call_id': '"' * 3000},
        }
        for source, kw in names.items():
            self.phone('nobody', source).ask('OPTIONS', **kw)
        found = self.hosts()
        self.assertEqual(set(found), set(names))
        for source in names:
            self.assertGreaterEqual(found[source], 1)


if __name__ == '__main__':
    harness.main()
