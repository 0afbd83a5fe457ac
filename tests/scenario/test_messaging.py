"""MESSAGE from one phone to another, as a stateful proxy forwards it."""
import hashlib
import os
import subprocess
import tempfile

import harness
from harness import SOURCE, Phone, ServerTest, TRANSPORTS, credentials, free_port, phone_sections
from sippflow import Flow

TEXT = ['Content-Type: text/plain;charset=utf-8']
TIMEOUT_MS = 1000


class MessagingTest(ServerTest):
    def phone(self, user, registered=True, **kw):
        phone = Phone(self.server, user, **kw)
        self.addCleanup(phone.close)
        if registered:
            answer = phone.register(expires=300)
            self.assertEqual(answer.status, 200)
            self.addCleanup(self.leave, phone)
        return phone

    def leave(self, phone):
        phone.register([phone.contact], expires=0, call_id='leave-' + phone.call_id)

    def send(self, phone, to, body=b'hello', headers=(), nc=1, **kw):
        """Sends an authenticated MESSAGE; the answer is still to come. The request as it was sent."""
        uri = to if to.startswith('sip:') else f'sip:{to}@127.0.0.1'
        challenge = phone.ask('MESSAGE', uri, **kw).get('WWW-Authenticate')
        value = credentials(challenge, 'MESSAGE', uri, phone.user, phone.password)
        data = phone.request('MESSAGE', uri, [*TEXT, *headers, f'Authorization: {value}'], body, **kw)
        phone.send(data)
        return harness.Message(data)

    def status(self, phone, to, **kw):
        self.send(phone, to, **kw)
        answer = phone.final()
        return answer.status if answer else None


class Messaging(MessagingTest):
    files = {'res_sip.conf': f'[messaging]\ntimeout_ms={TIMEOUT_MS}\n'}
    pjsip = TRANSPORTS + ''.join(phone_sections(name) for name in (
        'alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace')) + \
        phone_sections('multi', endpoint='aors=multi,second,other@example.com\nfrom_user=desk') + \
        phone_sections('path', aor='max_contacts=1\nsupport_path=yes') + \
        phone_sections('host', aor='max_contacts=1') + """
[second]
type=aor
max_contacts=1
[other@example.com]
type=aor
max_contacts=1
[trunk]
type=endpoint
[trunk]
type=identify
endpoint=trunk
match=127.7.0.1
"""

    # ---- delivered ----

    def delivered(self, sender, receiver):
        alice, bob = self.phone('alice', False, transport=sender), self.phone('bob', transport=receiver)
        sent = self.send(alice, 'bob', b'caf\xc3\xa9 \x00\xff',
                         ['Subject: x', 'X-Kept: "a,b" ;c', 'Date: Thu, 01 Jan 2026 GMT'])
        got = bob.receive()
        self.assertEqual(got.start, f'MESSAGE {bob.contact[1:-1]} SIP/2.0')
        self.assertEqual(got.body, b'caf\xc3\xa9 \x00\xff')
        for name in ('From', 'To', 'Call-ID', 'CSeq', 'Content-Type', 'Subject', 'X-Kept', 'Date', 'Content-Length'):
            self.assertEqual(got.all(name), sent.all(name), name)
        self.assertEqual(got.get('Max-Forwards'), '69')
        self.assertIsNone(got.get('Authorization'))
        self.assertIsNone(got.get('Contact'))
        self.assertIsNone(got.get('Record-Route'))
        ours, theirs = got.all('Via')
        port = self.server.ports[receiver]
        self.assertRegex(ours, rf'^SIP/2\.0/{receiver.upper()} 127\.0\.0\.1:{port};.*branch=z9hG4bK')
        plain = sent.get('Via').replace(';rport', '')
        self.assertEqual(theirs, f'{plain};received=127.0.0.1;rport={alice.address[1]}')
        bob.answer(got, 200, 'Fine', ['X-Answer: yes', 'Content-Length: 0'])
        answer = alice.final()
        self.assertEqual(answer.start, 'SIP/2.0 200 Fine')
        self.assertEqual(answer.get('X-Answer'), 'yes')
        self.assertEqual(len(answer.all('Via')), 1)

    def test_udp_to_udp(self):
        self.delivered('udp', 'udp')

    def test_udp_to_tcp(self):
        self.delivered('udp', 'tcp')

    def test_tcp_to_udp(self):
        self.delivered('tcp', 'udp')

    def test_tcp_to_tcp(self):
        self.delivered('tcp', 'tcp')

    def test_sipp_to_sipp(self):
        folder = tempfile.mkdtemp(prefix='sipp-', dir=self.server.folder)
        port = free_port()
        receiver = subprocess.Popen(
            ['sipp', '-sf', os.path.join(SOURCE, 'tests/scenario/sipp/message_receive.xml'), '-i', '127.0.0.1', '-p',
             str(port),
             '-t', 'u1', '-m', '20', '-nostdin', '-timeout', f'{int(harness.DEADLINE)}s', '-timeout_error'],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            Flow('carol').register(f'<sip:carol@127.0.0.1:{port}>', expires=100).run(self.server)
            Flow('alice').request('MESSAGE', TEXT, uri='sip:carol@127.0.0.1', body='hello from alice') \
                .run(self.server, 'u1', '-r', '100', calls=20)
            self.assertEqual(receiver.wait(harness.DEADLINE), 0)
        finally:
            if receiver.poll() is None:
                receiver.kill()
                receiver.wait()
            Flow('carol').register('*', expires=0).run(self.server)

    def test_a_large_body_over_tcp(self):
        alice, bob = self.phone('alice', False, transport='tcp'), self.phone('bob', transport='tcp')
        body = os.urandom(50000)
        self.send(alice, 'bob', body)
        got = bob.receive()
        self.assertEqual(hashlib.sha256(got.body).digest(), hashlib.sha256(body).digest())
        bob.answer(got)
        self.assertEqual(alice.final().status, 200)

    def test_a_large_body_over_udp(self):
        alice, bob = self.phone('alice', False), self.phone('bob')
        body = os.urandom(20000)
        self.send(alice, 'bob', body)
        got = bob.receive()
        self.assertEqual(got.body, body)
        bob.answer(got)
        self.assertEqual(alice.final().status, 200)

    def test_what_fits_no_datagram_is_refused_at_once(self):
        bob = self.phone('bob')
        with Phone(self.server, 'x', source='127.7.0.1', transport='tcp') as trunk:
            empty = len(trunk.request('MESSAGE', 'sip:bob@127.0.0.1', TEXT, b'')) + 10
            trunk.send(trunk.request('MESSAGE', 'sip:bob@127.0.0.1', TEXT, b'x' * (65530 - empty)))
            self.assertEqual(trunk.final(TIMEOUT_MS / 1000 * 0.9).status, 480)
            trunk.send(trunk.request('MESSAGE', 'sip:bob@127.0.0.1', TEXT, b'shorter'))
            self.assertEqual(bob.receive().body, b'shorter')

    def test_a_route_that_names_the_server_is_taken_out(self):
        """As a phone sends it that has this server for its outbound proxy."""
        alice, bob = self.phone('alice', False), self.phone('bob')
        own = f'Route: <sip:127.0.0.1:{self.server.ports["udp"]};lr>'
        self.send(alice, 'bob', headers=[own])
        got = bob.receive()
        self.assertEqual(got.all('Route'), [])
        bob.answer(got)
        self.assertEqual(alice.final().status, 200)

    def test_compact_headers(self):
        alice, bob = self.phone('alice', False), self.phone('bob')
        uri = 'sip:bob@127.0.0.1'
        value = credentials(alice.ask('MESSAGE', uri).get('WWW-Authenticate'), 'MESSAGE', uri, 'alice', 'secret')
        data = alice.request('MESSAGE', uri, [*TEXT, 'Subject: s', f'Authorization: {value}'], b'compact')
        for name, short in ((b'Via', b'v'), (b'From', b'f'), (b'To', b't'), (b'Call-ID', b'i'), (b'Subject', b's'),
                            (b'Content-Type', b'c'), (b'Content-Length', b'l')):
            data = data.replace(b'\r\n' + name + b': ', b'\r\n' + short + b':', 1)
        alice.send(data)
        got = bob.receive()
        self.assertEqual((got.get('s'), got.get('c'), got.body), ('s', TEXT[0].split(': ')[1], b'compact'))
        self.assertRegex(got.all('Via')[-1], rf';received=127\.0\.0\.1;rport={alice.address[1]}$')
        bob.answer(got)
        self.assertEqual(alice.final().status, 200)

    def test_both_ways_over_one_connection(self):
        alice, bob = self.phone('alice', transport='tcp'), self.phone('bob', transport='tcp')
        for sender, receiver in ((alice, bob), (bob, alice), (alice, bob)):
            self.send(sender, receiver.user)
            receiver.answer(receiver.receive())
            self.assertEqual(sender.final().status, 200)

    def test_to_oneself(self):
        alice = self.phone('alice')
        self.send(alice, 'alice')
        got = alice.receive()
        self.assertEqual(got.method, 'MESSAGE')
        alice.answer(got)
        self.assertEqual(alice.final().status, 200)

    def test_a_retransmission_is_not_delivered_twice(self):
        alice, bob = self.phone('alice', False), self.phone('bob')
        sent = self.send(alice, 'bob')
        got = bob.receive()
        bob.answer(got)
        first = alice.final()
        alice.send(sent.data)
        self.assertEqual(alice.final().data, first.data)
        self.send(alice, 'bob', b'another')
        self.assertEqual(bob.receive().body, b'another')

    def test_the_path_is_the_route(self):
        edge = Phone(self.server, 'edge')
        self.addCleanup(edge.close)
        phone = self.phone('path', False)
        route = f'<sip:edge@{edge.address[0]}:{edge.address[1]};lr>'
        answer = phone.register(['<sip:path@192.0.2.1>'], expires=100, headers=[f'Path: {route}', 'Supported: path'])
        self.assertEqual(answer.status, 200)
        alice = self.phone('alice', False)
        self.send(alice, 'path')
        got = edge.receive()
        self.assertEqual((got.start, got.get('Route')), ('MESSAGE sip:path@192.0.2.1 SIP/2.0', route))
        edge.answer(got)
        self.assertEqual(alice.final().status, 200)

    def test_a_contact_with_a_host_name(self):
        host = self.phone('host', False)
        self.assertEqual(host.register([f'<sip:host@localhost:{host.address[1]}>'], expires=100).status, 200)
        alice = self.phone('alice', False)
        self.send(alice, 'host')
        host.answer(host.receive())
        self.assertEqual(alice.final().status, 200)

    # ---- several contacts ----

    def fork(self, *statuses):
        """alice's answer when dave's phones give these (None: silence)."""
        alice = self.phone('alice', False)
        phones = [self.phone('dave', transport='tcp' if n % 2 else 'udp') for n in range(len(statuses))]
        self.send(alice, 'dave', b'to all')
        got = [p.receive() for p in phones]
        self.assertEqual([g.body for g in got], [b'to all'] * len(phones))
        self.assertEqual(sum(int(g.get('Max-Breadth')) for g in got), 60)
        self.assertEqual(len({g.all('Via')[0] for g in got}), len(phones))
        for phone, message, status in zip(phones, got, statuses):
            if status:
                phone.answer(message, status, 'X', ['Retry-After: 1'] if status == 503 else [])
        answer = alice.final()
        for phone in phones:
            self.leave(phone)
        self.assertIsNone(alice.receive(0.05), 'one answer only')
        return answer.status

    def test_all_contacts_get_it_and_the_best_answer_goes_back(self):
        self.assertEqual(self.fork(486, 200, 404), 200)

    def test_a_6xx_is_the_last_word(self):
        self.assertEqual(self.fork(486, 603), 603)

    def test_the_lowest_class_wins(self):
        self.assertEqual(self.fork(500, 404, 501), 404)

    def test_what_can_be_mended_wins_in_its_class(self):
        self.assertEqual(self.fork(404, 415), 415)

    def test_a_503_is_nobody_elses_business(self):
        self.assertEqual(self.fork(503), 500)

    def test_silence_beside_an_answer(self):
        self.assertEqual(self.fork(None, 200), 200)
        self.assertEqual(self.fork(None, 486), 486)

    def test_a_408_never_goes_back(self):
        self.assertEqual(self.fork(408), 480)

    # ---- not delivered ----

    def test_to_an_unknown_user(self):
        alice = self.phone('alice', False)
        for to in ('nobody', 'ALICE', 'sip:127.0.0.1', 'sip:alice%00@127.0.0.1'):
            self.assertEqual(self.status(alice, to), 404, to)
        Flow('alice').request('MESSAGE', TEXT, uri='sip:nobody@127.0.0.1', body='x', status=404).run(self.server)

    def test_to_an_absent_user(self):
        alice = self.phone('alice', False)
        self.assertEqual(self.status(alice, 'erin'), 480)
        erin = self.phone('erin')
        self.leave(erin)
        self.assertEqual(self.status(alice, 'erin'), 480)
        Flow('alice').request('MESSAGE', TEXT, uri='sip:erin@127.0.0.1', body='x', status=480).run(self.server, 't1')

    def test_to_a_phone_that_never_answers(self):
        for transport in ('udp', 'tcp'):
            with self.subTest(transport):
                alice, frank = self.phone('alice', False, transport=transport), self.phone('frank', transport=transport)
                self.send(alice, 'frank')
                self.assertIsNotNone(frank.receive())
                self.assertEqual(alice.final().status, 480)
                self.leave(frank)

    def test_to_a_phone_that_went_away(self):
        alice, grace = self.phone('alice', False), Phone(self.server, 'grace', transport='tcp')
        self.assertEqual(grace.register(expires=100).status, 200)
        grace.close()
        self.assertEqual(self.status(alice, 'grace'), 480)

    def test_an_answer_too_late_goes_nowhere(self):
        alice, frank = self.phone('alice', False), self.phone('frank')
        self.send(alice, 'frank')
        got = frank.receive()
        self.assertEqual(alice.final().status, 480)
        frank.answer(got)
        self.assertEqual(self.status(alice, 'nobody'), 404)

    # ---- the sender ----

    def test_the_from_must_be_the_senders(self):
        alice = self.phone('alice', False)
        self.phone('bob')
        f = Flow('alice')
        for sender in ('<sip:bob@127.0.0.1>', '"alice" <sip:bob@127.0.0.1>', '<sip:Alice@127.0.0.1>'):
            # Whoever the From names is who has to prove it: identified as bob, alice's password is a wrong one.
            f.request('MESSAGE', TEXT, sender=sender, uri='sip:bob@127.0.0.1', body='x', status=401)
        f.run(self.server)
        multi = self.phone('multi', False)
        for user, status in (('multi', 404), ('desk', 401), ('second', 401)):
            self.assertEqual(self.status(multi, 'nobody', sender=f'<sip:{user}@127.0.0.1>'), status, user)
        self.assertEqual(self.status(alice, 'nobody', sender='"Bob" <sip:alice@elsewhere.example>'), 404)

    def test_a_trunk_speaks_for_others(self):
        bob = self.phone('bob')
        with Phone(self.server, 'somebody', source='127.7.0.1') as trunk:
            trunk.send(trunk.request('MESSAGE', 'sip:bob@127.0.0.1', TEXT, b'hello'))
            bob.answer(bob.receive())
            self.assertEqual(trunk.final().status, 200)

    def test_without_authentication_nothing_is_delivered(self):
        bob = self.phone('bob')
        Flow('alice').send('MESSAGE', TEXT, uri='sip:bob@127.0.0.1', body='x').expect(401) \
            .request('MESSAGE', TEXT, uri='sip:bob@127.0.0.1', body='x', password='wrong', status=401).run(self.server)
        self.assertEqual(self.status(self.phone('alice', False), 'nobody'), 404)
        self.assertIsNone(bob.receive(0.05))

    def test_credentials_for_others_go_on(self):
        alice, bob = self.phone('alice', False), self.phone('bob')
        other = 'Digest username="a", realm="elsewhere", nonce="n", uri="sip:bob", response="0"'
        self.send(alice, 'bob', headers=[f'Authorization: {other}', f'Proxy-Authorization: {other}'])
        got = bob.receive()
        self.assertEqual((got.all('Authorization'), got.all('Proxy-Authorization')), ([other], [other]))
        bob.answer(got)

    # ---- hops ----

    def test_no_hop_left(self):
        self.phone('bob')
        alice = self.phone('alice', False)
        uri = 'sip:bob@127.0.0.1'
        challenge = alice.ask('MESSAGE', uri).get('WWW-Authenticate')
        for hops, status in ((0, 483), (1, None)):
            value = credentials(challenge, 'MESSAGE', uri, 'alice', 'secret', nc=hops + 1)
            data = alice.request('MESSAGE', uri, [*TEXT, f'Authorization: {value}'], b'x')
            alice.send(data.replace(b'Max-Forwards: 70', b'Max-Forwards: %d' % hops))
            if status:
                self.assertEqual(alice.final().status, status)
            else:
                self.assertEqual(alice.final().status, 480)  # bob keeps silent: it was sent on

    def test_a_breadth_of_nothing(self):
        alice = self.phone('alice', False)
        for _ in range(2):
            self.phone('dave')
        self.assertEqual(self.status(alice, 'dave', headers=['Max-Breadth: 1']), 440)


class AnyFrom(MessagingTest):
    """check_from = no, and a way to be identified that is not the From."""
    files = {'res_sip.conf': '[messaging]\ncheck_from=no\n'}
    pjsip = TRANSPORTS + phone_sections('alice', endpoint='identify_by=auth_username') + phone_sections('bob')

    def test_any_from_passes(self):
        alice, bob = self.phone('alice', False), self.phone('bob')
        self.send(alice, 'bob', sender='<sip:president@127.0.0.1>')
        got = bob.receive()
        self.assertIn('<sip:president@127.0.0.1>', got.get('From'))
        bob.answer(got)
        self.assertEqual(alice.final().status, 200)


class OwnFrom(MessagingTest):
    pjsip = TRANSPORTS + phone_sections('multi', endpoint='aors=multi,second,other@example.com\nfrom_user=desk\n'
                                                          'identify_by=auth_username') + phone_sections('bob') + """
[second]
type=aor
[other@example.com]
type=aor
[global]
type=global
endpoint_identifier_order=auth_username,username
"""

    def test_the_names_of_an_endpoint(self):
        """Its own name, that of its auth, its AORs and its from_user."""
        phone = self.phone('multi', False)
        for sender, status in (('multi@127.0.0.1', 404), ('second@127.0.0.1', 404), ('desk@127.0.0.1', 404),
                               ('other@example.com', 404), ('other@example.org', 403), ('bob@127.0.0.1', 403),
                               ('%62ob@127.0.0.1', 403), ('Multi@127.0.0.1', 403), ('127.0.0.1', 403)):
            self.assertEqual(self.status(phone, 'nobody', sender=f'<sip:{sender}>'), status, sender)
        Flow('multi').send('MESSAGE', TEXT, sender='<sip:bob@127.0.0.1>').expect(401).run(self.server)

    def test_a_refused_one_is_not_delivered(self):
        phone, bob = self.phone('multi', False), self.phone('bob')
        self.assertEqual(self.status(phone, 'bob', sender='<sip:bob@127.0.0.1>'), 403)
        self.assertIsNone(bob.receive(0.05))


class Loop(MessagingTest):
    """Two AORs whose contacts lead to each other through the server: it finds its own Via."""
    pjsip = TRANSPORTS + phone_sections('alice') + """
[here]
type=endpoint
[here]
type=identify
endpoint=here
match=127.0.0.1
[global]
type=global
endpoint_identifier_order=username,ip
[round]
type=aor
contact=sip:round@127.0.0.1:@UDP@
[spiral]
type=aor
contact=sip:round@127.0.0.1:@UDP@
"""

    def test_a_request_that_comes_round_is_482(self):
        for to in ('round', 'spiral'):
            Flow('x').send('MESSAGE', TEXT, uri=f'sip:{to}@127.0.0.1', body='x').expect(482).run(self.server)


if __name__ == '__main__':
    harness.main()
