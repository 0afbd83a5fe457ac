"""Peers over TCP that stop reading, send a byte at a time, connect and connect: bounded, and nobody else feels it."""
import re
import secrets
import socket
import time
import unittest

import harness
from harness import Phone, Server, TRANSPORTS, phone_sections, wait_for

SEND_S = 2  # tcp_send_s
HALF_OPEN_S = 2
PER_PEER = 30
QUEUE = 65536  # tcp_send_queue
PJSIP = TRANSPORTS + '\n[anonymous]\ntype=endpoint\n' + \
    ''.join(phone_sections(name) for name in ('alice', 'bob', 'carol'))
OWN = (f'[limits]\ntcp_send_s={SEND_S}\ntcp_half_open_s={HALF_OPEN_S}\nconnections_per_peer={PER_PEER}\n'
       f'tcp_send_queue={QUEUE}\n[messaging]\ntimeout_ms=1000\n[log]\nlevel=debug\n')

NONCE_WINDOW = 60
GONE = re.compile(r'connection\.closed .*reason="(the peer takes nothing|send queue full)"')


class StalledPeer(unittest.TestCase):
    def setUp(self):
        self.server = Server(PJSIP, {'modules.conf': '[modules]\nautoload=yes\n', 'res_sip.conf': OWN}).start()

    def tearDown(self):
        status = self.server.stop()
        log = '\n'.join(self.server.log[-40:])
        self.server.remove()
        self.assertEqual(status, 0, log)

    def resident(self):
        with open(f'/proc/{self.server.process.pid}/status') as f:
            return next(int(line.split()[1]) << 10 for line in f if line.startswith('VmRSS'))

    def connections(self):
        return self.server.cli('core', 'show', 'memory', as_json=True)['connections']

    def connect(self, source, small=False):
        s = socket.socket()
        if small:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.bind((source, 0))
        s.settimeout(harness.DEADLINE)
        s.connect(self.server.tcp)
        return s

    def options(self, extra=''):
        branch = 'z9hG4bK' + secrets.token_hex(8)
        return (f'OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch={branch}\r\n'
                f'Max-Forwards: 70\r\nFrom: <sip:x@127.0.0.1>;tag=a\r\nTo: <sip:127.0.0.1>\r\n'
                f'Call-ID: {secrets.token_hex(8)}{extra}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n').encode()

    def others_are_served(self, seconds=2.0):
        with Phone(self.server, 'alice', transport='tcp') as phone:
            begun = time.monotonic()
            for _ in range(5):
                self.assertEqual(phone.register().status, 200)
            self.assertLess(time.monotonic() - begun, seconds * harness.SLOW)

    def ends(self, s):
        """Whether the server closes it, whatever it still says."""
        s.settimeout(harness.DEADLINE)
        try:
            while s.recv(65536):
                pass
        except ConnectionError:
            pass
        except socket.timeout:
            return False
        return True

    def test_who_does_not_read_his_answers_asks_no_more_and_is_closed(self):
        """Questions whose answers he does not take: what waits is bounded, his questions are not read any more."""
        with self.connect('127.4.0.1', small=True) as s:
            question = self.options(extra='x' * 3000)  # the answer is as long
            before, sent = self.resident(), 0
            s.settimeout(0.5)
            with self.assertRaises((socket.timeout, ConnectionError)):
                while sent < 64 << 20:  # it blocks long before that: nobody reads
                    sent += s.send(question)
            self.assertLess(self.resident() - before, (16 << 20) * harness.SLOW)
            self.others_are_served()
            self.server.wait_log(GONE.pattern)
            self.assertTrue(self.ends(s))
        self.assertTrue(wait_for(lambda: self.connections() == 0))
        print(f'\n{sent} bytes of questions went until nothing more was read')

    def test_a_phone_that_stops_reading_holds_up_no_sender(self):
        """Messages for one that registered and then stopped reading: the senders get an answer, and he is closed."""
        with Phone(self.server, 'bob', transport='tcp', source='127.4.0.2') as bob, \
                Phone(self.server, 'alice', transport='tcp') as alice:
            self.assertEqual(bob.register().status, 200)
            uri, text = 'sip:bob@127.0.0.1', ['Content-Type: text/plain']
            # Threads may change the places of requests: no more on one nonce than its window of counts takes.
            challenges = [alice.ask('MESSAGE', uri, text).get('WWW-Authenticate') for _ in range(200 // NONCE_WINDOW + 1)]
            sent = 0
            while sent < 200 and not any(GONE.search(line) for line in self.server.log):
                sent += 1
                value = harness.credentials(challenges[sent // NONCE_WINDOW], 'MESSAGE', uri, 'alice', 'secret',
                                            nc=1 + sent % NONCE_WINDOW)
                alice.send(alice.request('MESSAGE', uri, [*text, f'Authorization: {value}'], b'x' * 60000))
            self.server.wait_log(GONE.pattern)
            statuses = [alice.final(5 * harness.SLOW).status for _ in range(sent)]  # timeout_ms is 1000
            self.assertTrue(all(status in (408, 480, 500, 503) for status in statuses), statuses)
            self.others_are_served()
            self.assertTrue(self.ends(bob.sock))

    def test_one_byte_at_a_time(self):
        """As many as one peer may have, each sending a byte of a message now and then: all end at the deadline."""
        crowd = [self.connect('127.4.0.3') for _ in range(PER_PEER)]
        question, over = self.options(), time.monotonic() + HALF_OPEN_S * 3 * harness.SLOW
        alive, i = list(crowd), 0
        while alive and time.monotonic() < over:
            for s in list(alive):
                try:
                    s.send(question[i % 100:i % 100 + 1])
                except ConnectionError:
                    alive.remove(s)
            i += 1
            if i == 5:
                self.others_are_served()
            time.sleep(0.05)
        self.assertEqual(alive, [])
        self.assertTrue(any('reason="half open"' in line for line in self.server.log))
        for s in crowd:
            s.close()
        self.assertTrue(wait_for(lambda: self.connections() == 0))

    def test_a_flood_of_connections_of_one_peer(self):
        """Past connections_per_peer they are refused, with one line a second; another peer connects as ever."""
        crowd = []
        for _ in range(PER_PEER * 10):
            s = self.connect('127.4.0.4')
            s.setblocking(False)
            crowd.append(s)
        self.assertTrue(wait_for(lambda: self.connections() == PER_PEER), self.connections())
        self.others_are_served()
        self.server.wait_log(r'connection\.refused remote=127\.4\.0\.4:\d+ .* reason=max_connections_per_peer')
        refused = [line for line in self.server.log if 'connection.refused' in line]
        self.assertLessEqual(len(refused), 5 * harness.SLOW)
        for s in crowd:
            s.close()
        self.assertTrue(wait_for(lambda: self.connections() == 0))
        with self.connect('127.4.0.4') as s:
            s.sendall(self.options())
            self.assertTrue(s.recv(4096).startswith(b'SIP/2.0 200'))


if __name__ == '__main__':
    harness.main()
