"""kill -9 during a storm of registrations: what was answered 200 is there afterwards, and nothing that nobody asked for."""
import os
import random
import re
import secrets
import signal
import threading
import time
import unittest

import harness
from harness import DEADLINE, Phone, Server, TRANSPORTS, credentials, phone_sections

ROUNDS = 12
AORS = 6
PJSIP = TRANSPORTS + ''.join(phone_sections(f'u{i}', aor='max_contacts=50') for i in range(AORS))
CONTACTS = 6  # that one phone plays with


class Killed(Exception):
    """The server went while a request was on its way."""


class Registrant(threading.Thread):
    """
    A phone that changes its bindings as fast as it is answered. known: uri -> q of what was answered 200; asked: what
    the request that was not answered would have made of it.
    """

    def __init__(self, storm, user, name, transport, alone):
        super().__init__(name=f'{user}/{name}')
        self.storm, self.user, self.transport, self.alone = storm, user, transport, alone
        self.uris = [f'sip:{name}-{i}@192.0.2.1:5060' for i in range(CONTACTS)]
        self.known, self.asked = {}, None
        self.call_id, self.cseq = secrets.token_hex(8), 0
        self.challenge, self.nc = None, 0
        self.answered, self.failure = 0, None
        self.rng = random.Random(f'{user}/{name}')

    # ---- one request ----

    def final(self, phone, call_id):
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            gone = self.storm.gone.is_set()  # what was answered before the end still lies in our socket
            answer = phone.receive(0.1 if gone else 0.05)
            if answer and answer.status and answer.status >= 200 and answer.get('Call-ID') == call_id:
                return answer
            if gone:
                raise Killed
            if not answer and self.transport == 'tcp':
                time.sleep(0.01)
        raise AssertionError(f'{self.name}: no answer to {call_id} {self.cseq}')

    def authorization(self):
        if not self.challenge:
            return []
        self.nc += 1
        value = credentials(self.challenge, 'REGISTER', 'sip:127.0.0.1', self.user, 'secret', nc=self.nc)
        return [f'Authorization: {value}']

    def register(self, phone, headers):
        for _ in range(3):
            self.cseq += 1
            try:
                phone.send(phone.request('REGISTER', 'sip:127.0.0.1', [*headers, *self.authorization()],
                                         to=f'<sip:{self.user}@127.0.0.1>', call_id=self.call_id, cseq=self.cseq))
            except ConnectionError:
                self.storm.gone.wait(DEADLINE)
            answer = self.final(phone, self.call_id)
            if answer.status != 401:
                return answer
            self.challenge, self.nc = answer.get('WWW-Authenticate'), 0
        raise AssertionError(f'{self.name}: refused: {answer}')

    # ---- changes ----

    def change(self):
        """Headers of a request, and what it makes of the bindings."""
        after = dict(self.known)
        if self.alone and self.rng.random() < 0.05:
            return ['Contact: *', 'Expires: 0'], {}
        lines = []
        for uri in self.rng.sample(self.uris, self.rng.choice((1, 1, 1, 2, 3))):
            if uri in after and self.rng.random() < 0.4:
                lines.append(f'Contact: <{uri}>;expires=0')
                del after[uri]
            else:
                q = self.rng.randint(1, 999)  # which refresh it was
                lines.append(f'Contact: <{uri}>;q=0.{q:03};expires=3600')
                after[uri] = q
        return lines, after

    def bindings(self, answer):
        found = {}
        for value in answer.all('Contact'):
            m = re.match(r'<([^>]*)>(?:.*;q=0\.(\d+))?', value)
            found[m.group(1)] = int(m.group(2) or 1000)
        return found

    def own(self, bindings):
        """Several phones share an AOR: each looks at its own."""
        return {uri: q for uri, q in bindings.items() if uri in self.uris}

    def run(self):
        try:
            with Phone(self.storm.server, self.user, transport=self.transport) as phone:
                while not self.storm.gone.is_set():
                    headers, self.asked = self.change()
                    answer = self.register(phone, headers)
                    if self.storm.stopping and answer.status in (500, 503):
                        self.asked = None  # refused: it must not have happened
                        continue
                    if answer.status != 200:
                        raise AssertionError(f'{self.name}: {answer}')
                    self.answered += 1
                    self.known, self.asked = self.asked, None
                    if self.own(self.bindings(answer)) != self.known:
                        raise AssertionError(f'{self.name}: {self.known} wanted, the answer says {answer}')
        except (Killed, ConnectionError):
            pass
        except Exception as e:
            self.failure = e

    def check(self):
        """Asks the server, which runs again. What the last request wanted may have happened or not."""
        self.challenge = None
        self.storm.gone.clear()
        with Phone(self.storm.server, self.user, transport='udp') as phone:
            self.transport, was = 'udp', self.transport
            answer = self.register(phone, [])
            self.transport = was
        found = self.bindings(answer)
        mine = self.own(found)
        if mine != self.known and (self.asked is None or mine != self.asked):
            raise AssertionError(f'{self.name}: there is {mine}\nanswered was {self.known}\nasked was {self.asked}')
        self.known, self.asked = mine, None
        return found


class Storm:
    def __init__(self, server):
        self.server = server
        self.gone = threading.Event()  # the server is being killed, or was
        self.stopping = False  # it is being stopped: refusals are in order
        self.phones = []
        for i in range(AORS):
            shared = i % 2
            for k in range(2 if shared else 1):
                transport = 'tcp' if (i // 2 + k) % 2 else 'udp'
                self.phones.append((f'u{i}', f'p{k}', transport, not shared))
        self.registrants = [Registrant(self, *p) for p in self.phones]

    def blow(self, seconds, end):
        """All phones at once, until end() ends the server in the midst of it."""
        self.gone.clear()
        again = []
        for r in self.registrants:  # a thread runs once
            n = Registrant(self, *self.phones[self.registrants.index(r)])
            n.known, n.call_id, n.cseq, n.rng = r.known, r.call_id, r.cseq, r.rng
            again.append(n)
        self.registrants = again
        for r in self.registrants:
            r.start()
        time.sleep(seconds)
        end()
        self.gone.set()
        for r in self.registrants:
            r.join()
        for r in self.registrants:
            if r.failure:
                raise r.failure
        return sum(r.answered for r in self.registrants)

    def check(self):
        everything = {}
        for r in self.registrants:
            everything[r.user] = r.check()
        wanted = {user: {} for user in everything}
        for r in self.registrants:
            wanted[r.user].update(r.known)
        if everything != wanted:
            raise AssertionError(f'{everything}\nwanted {wanted}')
        return sorted(f'{user}/{uri}' for user, uris in everything.items() for uri in uris)


class Crash(unittest.TestCase):
    def setUp(self):
        self.server = Server(PJSIP, {'modules.conf': '[modules]\nautoload=yes\n'}).start()

    def tearDown(self):
        status = self.server.stop() if self.server.process else 0
        log = '\n'.join(self.server.log[-60:])
        self.server.remove()
        self.assertEqual(status, 0, log)

    def kill(self):
        os.kill(self.server.process.pid, signal.SIGKILL)
        self.server.process.wait()

    def contacts(self):
        listed = self.server.cli('pjsip', 'show', 'contacts', as_json=True)
        return sorted(f'{c["aor"]}/{c["uri"]}' for c in listed['contacts'])

    def test_kill_9_in_a_storm_of_registrations(self):
        storm = Storm(self.server)
        rng = random.Random(9)
        answered = 0
        for _ in range(ROUNDS):
            answered += storm.blow(rng.uniform(0.05, 0.4) * harness.SLOW, self.kill)
            self.assertEqual(self.server.stop(), -signal.SIGKILL)
            self.server.start()
            there = storm.check()
            self.assertEqual(self.contacts(), there)
        self.assertGreater(answered, ROUNDS * 10)

    def test_a_clean_stop_in_the_storm_loses_nothing_either(self):
        storm = Storm(self.server)
        storm.stopping = True
        for _ in range(3):
            storm.blow(0.2 * harness.SLOW, lambda: self.assertEqual(self.server.stop(), 0))
            self.server.start()
            storm.check()


if __name__ == '__main__':
    harness.main()
