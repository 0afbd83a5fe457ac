"""1,000 reloads, half of them of broken files, during traffic: no request is lost or answered wrongly."""
import json
import os
import random
import socket
import threading
import unittest

import harness
from harness import DEADLINE, Phone, Server, TRANSPORTS, phone_sections

RELOADS = 1000
CROWD = 300  # endpoints that each good version makes anew: one kept snapshot too many shows in the memory
PHONES = ['ua', 'ub', 'ta', 'tb']  # over UDP and TCP
MEMORY = 4 << 20  # growth over 200 reloads; kept snapshots would be ten times that

FIXED = TRANSPORTS + ''.join(phone_sections(p) for p in PHONES)


def pjsip(version, extra=''):
    """A good configuration; version can be told by the aor `version`, and some come and go with it."""
    text = FIXED + f'\n[version]\ntype=aor\nmax_contacts={version}\n[crowd](!)\ntype=endpoint\ncontext=v{version}\n'
    text += ''.join(f'[c{i}](crowd)\n' for i in range(CROWD))
    if version % 3 == 0:
        text += f'[other]\ntype=transport\nprotocol={"tcp" if version % 2 else "udp"}\nbind={extra}:@UDP@\n'
    if version % 4 == 0:
        text += phone_sections('guest', password=str(version))
    if version % 5 == 0:
        text += '[global]\ntype=global\nuser_agent=v' + str(version) + '\n'
    return text


# What a broken version ends with: the line marked with a star is the one to be named.
BROKEN = [
    '[bad]\ntype=endpoint\n*rewrite_contcat=yes',
    '[bad]\ntype=endpoint\n*rewrite_contact=maybe',
    '[bad]\ntype=endpoint\n*aors=nobody_there',
    '[bad]\ntype=endpoint\n*auth=nobody_there',
    '[bad]\ntype=aor\n*max_contacts=many',
    '[bad]\n*no equals sign here\ntype=aor',
    '*[bad](template_that_is_not)\ntype=aor',
    '[bad]\ntype=acl\ndeny=0.0.0.0/0\n*permit=300.1.2.3',
    '[bad]\ntype=identify\n*endpoint=nobody_there\nmatch=127.0.0.9',
    '[udp3]\ntype=transport\nprotocol=udp\n*bind=no.such.address',
    '*#include missing.conf',
    '[bad]\ntype=aor\n;-- never closed',
]


class Control:
    """One connection to the control socket, for many commands."""

    def __init__(self, server):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE * 2)
        self.sock.connect(os.path.join(server.state, 'res_sip.ctl'))
        self.file = self.sock.makefile('rw')

    def run(self, *words, as_json=False):
        self.file.write(json.dumps({'argv': words, 'json': as_json}) + '\n')
        self.file.flush()
        return json.loads(self.file.readline())

    def close(self):
        self.file.close()
        self.sock.close()


class Traffic(threading.Thread):
    """Does one thing again and again; the first wrong answer ends it."""

    def __init__(self, what, step):
        super().__init__(name=what)
        self.step, self.over, self.n, self.failure = step, threading.Event(), 0, None

    def run(self):
        try:
            while not self.over.is_set():
                self.step()
                self.n += 1
        except Exception as e:
            self.failure = f'{self.name} after {self.n}: {type(e).__name__}: {e}'


class Receiver(threading.Thread):
    """Answers every MESSAGE with 200 and remembers what it said."""

    def __init__(self, phone):
        super().__init__()
        self.phone, self.over, self.bodies = phone, threading.Event(), []

    def run(self):
        while not self.over.is_set():
            request = self.phone.receive(0.2)
            if request and request.method == 'MESSAGE':
                self.bodies.append(request.body)
                self.phone.answer(request)


def expect(answer, *statuses):
    if answer is None or answer.status not in statuses:
        raise AssertionError(f'{statuses} wanted, {answer or "nothing"} came')
    return answer


class Reload(unittest.TestCase):
    def setUp(self):
        self.other = f'127.{random.randint(1, 250)}.{random.randint(1, 250)}.{random.randint(2, 250)}'
        self.server = Server(pjsip(1), {'modules.conf': '[modules]\nautoload=yes\n'}).start()
        self.phones, self.receivers, self.sent = [], [], []

    def tearDown(self):
        for phone in self.phones:
            phone.close()
        status = self.server.stop()
        log = '\n'.join(self.server.log[-60:])
        self.server.remove()
        self.assertEqual(status, 0, log)

    def phone(self, user, transport):
        self.phones.append(Phone(self.server, user, transport=transport))
        return self.phones[-1]

    def traffic(self, transport, a, b):
        asker, registrant = self.phone(a, transport), self.phone(b, transport)
        sender, receiver = self.phone(a, transport), Receiver(self.phone(b, transport))
        expect(receiver.phone.register(expires=3600), 200)
        receiver.start()
        self.receivers.append(receiver)
        sent = []

        def message():
            body = f'{transport} {len(sent)}'.encode()
            expect(sender.ask_authenticated('MESSAGE', f'sip:{b}@127.0.0.1', ['Content-Type: text/plain'], body=body), 200)
            sent.append(body)

        def register():
            expires = random.choice((0, 300, 600))
            contact = f'<sip:x@192.0.2.{random.randint(1, 4)}>'
            answer = expect(registrant.ask_authenticated(
                'REGISTER', headers=[f'Contact: {contact}', f'Expires: {expires}'], to=f'<sip:{a}@127.0.0.1>',
                sender=f'<sip:{a}@127.0.0.1>', username=a), 200)
            if any(c.startswith(contact) for c in answer.all('Contact')) != bool(expires):
                raise AssertionError(f'{contact} for {expires} s gave {answer}')

        # The registrant is a's second device: b's contacts are the receiver's alone.
        registrant.user = a
        self.sent.append((sent, receiver))
        return [Traffic(f'OPTIONS {transport}', lambda: expect(
            asker.ask_authenticated('OPTIONS', f'sip:{a}@127.0.0.1'), 200)),
                Traffic(f'REGISTER {transport}', register), Traffic(f'MESSAGE {transport}', message)]

    def rss(self):
        with open(f'/proc/{self.server.process.pid}/status') as f:
            return next(int(line.split()[1]) << 10 for line in f if line.startswith('VmRSS'))

    def version(self):
        reply = self.control.run('pjsip', 'show', 'aor', 'version', as_json=True)
        found = json.loads(reply['out'])
        return int(found['max_contacts'])

    def broken(self, rng, n):
        """Writes a broken version; what the report must begin with."""
        tail = BROKEN[n % len(BROKEN)]
        text = pjsip(rng.randint(100000, 200000), self.other) + '\n' + tail.replace('*', '') + '\n'
        self.server.write('pjsip.conf', text)
        if '*' not in tail:
            return 'pjsip.conf:'
        return f'pjsip.conf:{text.count(chr(10), 0, text.rindex(tail.partition("*")[2].partition(chr(10))[0])) + 1}: '

    def reload_once(self, i, rng):
        """A broken version or the next good one: the one that is in force afterwards is the last good one."""
        if i % 2:
            self.good += 1
            self.server.write('pjsip.conf', pjsip(self.good, self.other))
            reply = self.control.run('pjsip', 'reload')
            self.assertEqual(reply['exit'], 0, reply)
        else:
            kind = BROKEN[i // 2 % len(BROKEN)]
            named = self.broken(rng, i // 2)
            reply = self.control.run('pjsip', 'reload')
            self.assertNotEqual(reply['exit'], 0, f'{kind}: {reply}')
            self.assertIn(named, reply['err'], kind)
        self.assertEqual(self.version(), self.good)

    def reload_often(self, n, threads):
        """Reloads n times while the threads run; the resident memory after a third and at the end."""
        rng, rss, self.good = random.Random(5), [], 1
        self.control = Control(self.server)
        self.addCleanup(self.control.close)
        try:
            for t in threads:
                t.start()
            for i in range(n):
                self.reload_once(i, rng)
                self.assertEqual([t.failure for t in threads if t.failure], [], f'after {i + 1} reloads')
                if i in (n // 3, n - 1):
                    rss.append(self.rss())
        finally:
            for t in threads:
                t.over.set()
            for t in threads:
                t.join()
            for r in self.receivers:
                r.over.set()
                r.join()
        self.assertEqual([t.failure for t in threads if t.failure], [])
        for sent, receiver in self.sent:
            self.assertEqual(sent, receiver.bodies)  # each once, in order
        print({t.name: t.n for t in threads}, 'resident:', [f'{r >> 10} KiB' for r in rss])
        return rss

    def test_a_thousand_reloads_during_traffic(self):
        threads = self.traffic('udp', 'ua', 'ub') + self.traffic('tcp', 'ta', 'tb')
        self.reload_often(RELOADS, threads)
        for t in threads:
            self.assertGreater(t.n, 20, t.name)

    def test_snapshots_do_not_stay_in_memory(self):
        # Over TCP no transaction outlives its answer, so what grows is kept by reloads.
        rss = self.reload_often(300, self.traffic('tcp', 'ta', 'tb'))
        if harness.SLOW == 1:  # sanitizers keep what was freed
            self.assertLess(rss[1] - rss[0], MEMORY)


if __name__ == '__main__':
    harness.main()
