"""Phones behind NAT: answers to where the packet came from, Contacts rewritten, all over the phone's own flow."""
import socket

import harness
from harness import Message, Phone, ServerTest, TRANSPORTS, phone_sections, wait_for

VERBOSE = {'res_sip.conf': '[log]\nlevel=verbose\n'}
REWRITE = 'rewrite_contact=yes'


def contacts(server, aor):
    return [c for c in server.cli('pjsip', 'show', 'contacts').split() if c.startswith(f'{aor}/')]


class ForceRport(ServerTest):
    pjsip = TRANSPORTS + '\n[on]\ntype=endpoint\n[off]\ntype=endpoint\nforce_rport=no\n'

    def ask(self, user, rport):
        """An OPTIONS whose Via names another socket's port; what came to (the sender's, the other) socket."""
        with Phone(self.server, user) as phone, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(('127.0.0.1', 0))
            other.settimeout(harness.DEADLINE)
            data = phone.request('OPTIONS').decode()
            data = data.replace(f'{phone.host}:{phone.address[1]};', f'{phone.host}:{other.getsockname()[1]};', 1)
            phone.send(data if rport else data.replace(';rport', '', 1))
            if user == 'on' or rport:
                answer = phone.final()
                self.assertIn(f';received=127.0.0.1;rport={phone.address[1]}', answer.get('Via'))
                other.setblocking(False)
                self.assertRaises(BlockingIOError, other.recv, 65536)
            else:
                answer = Message(other.recv(65536))
                self.assertNotIn('rport', answer.get('Via'))
            self.assertEqual(answer.status, 200)

    def test_force_rport_answers_to_the_source(self):
        self.ask('on', False)

    def test_without_it_the_via_says_where_to(self):
        self.ask('off', False)

    def test_who_asks_with_rport_gets_it(self):
        self.ask('on', True)
        self.ask('off', True)


class RewriteContact(ServerTest):
    files = VERBOSE
    pjsip = TRANSPORTS + ''.join(phone_sections(name, endpoint=REWRITE) for name in
                                 ('udp', 'tcp', 'closing', 'moving', 'same', 'params')) + \
        phone_sections('plain') + '\n[sender]\ntype=endpoint\n'

    def message(self, phone):
        """A MESSAGE to the phone, which comes to its own socket."""
        with Phone(self.server, 'sender') as sender:
            sender.send(sender.request('MESSAGE', f'sip:{phone.user}@127.0.0.1', ['Content-Type: text/plain'],
                                       b'hello'))
            got = phone.receive()
            self.assertIsNotNone(got, 'nothing came over the flow')
            phone.answer(got)
            self.assertEqual(sender.final().status, 200)
            return got

    def rewritten(self, user, transport):
        own = f'<sip:{user}@192.0.2.99:5999' + (';transport=tcp>' if transport == 'tcp' else '>')
        with Phone(self.server, user, transport=transport) as phone:
            answer = phone.register([own], expires=100)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.get('Contact'), f'{own};expires=100')
            stored, = contacts(self.server, user)
            extra = ';transport=tcp' if transport == 'tcp' else ''
            self.assertIn(f'sip:{user}@127.0.0.1:{phone.address[1]}{extra}', stored)
            got = self.message(phone)
            self.assertEqual(got.start, f'MESSAGE sip:{user}@127.0.0.1:{phone.address[1]}{extra} SIP/2.0')
            self.assertEqual(phone.register([own], expires=200).all('Contact'), [f'{own};expires=200'])
            self.assertEqual(phone.register([], expires=None).all('Contact')[0].split(';expires')[0], own)
            self.assertEqual(phone.register([own], expires=0).all('Contact'), [])

    def test_udp(self):
        self.rewritten('udp', 'udp')

    def test_tcp(self):
        self.rewritten('tcp', 'tcp')

    def test_parameters_stay(self):
        own = '"A, B" <sip:params:word@192.0.2.99;ob;x=%20y>;q=0.5;+sip.instance="<urn:uuid:1>"'
        with Phone(self.server, 'params') as phone:
            answer = phone.register([own], expires=100).get('Contact')
            self.assertRegex(answer, r'^<sip:params:word@192\.0\.2\.99;ob;x=%20y>;')
            for part in (';q=0.5', ';+sip.instance="<urn:uuid:1>"', ';expires=100'):
                self.assertIn(part, answer)
            self.assertIn(';ob;x=%20y', self.message(phone).start)

    def test_the_first_contact_only(self):
        with Phone(self.server, 'same') as phone:
            answer = phone.register(['<sip:same@192.0.2.1:1>, <sip:same@192.0.2.2:2>'], expires=100)
            self.assertEqual(sorted(c.split(';')[0] for c in answer.all('Contact')),
                             ['<sip:same@192.0.2.1:1>', '<sip:same@192.0.2.2:2>'])
            self.assertEqual(len([c for c in contacts(self.server, 'same') if f'@127.0.0.1:{phone.address[1]}' in c]),
                             1)
            self.assertEqual(len([c for c in contacts(self.server, 'same') if '@192.0.2.2:2' in c]), 1)
            phone.register(['*'], expires=0)

    def test_a_binding_ends_with_its_connection(self):
        mark = len(self.server.log)
        phone = Phone(self.server, 'closing', transport='tcp')
        self.assertEqual(phone.register(['<sip:closing@192.0.2.99;transport=tcp>'], expires=100).status, 200)
        self.assertEqual(len(contacts(self.server, 'closing')), 1)
        phone.close()
        self.assertTrue(wait_for(lambda: not contacts(self.server, 'closing')))
        self.server.wait_log(r"Removed contact 'sip:closing@127\.0\.0\.1:.*' from AOR 'closing' due to shutdown",
                             after=mark)

    def test_a_phone_that_comes_back_by_another_connection(self):
        own = '<sip:moving@192.0.2.99;transport=tcp>'
        first = Phone(self.server, 'moving', transport='tcp')
        self.assertEqual(first.register([own], expires=100).status, 200)
        with Phone(self.server, 'moving', transport='tcp') as second:
            self.assertEqual(second.register([own], expires=100).status, 200)
            first.close()
            self.assertTrue(wait_for(lambda: len(contacts(self.server, 'moving')) == 1))
            self.message(second)

    def test_without_it_nothing_is_rewritten(self):
        with Phone(self.server, 'plain', transport='tcp') as phone:
            self.assertEqual(phone.register(['<sip:plain@192.0.2.99>'], expires=100).get('Contact'),
                             '<sip:plain@192.0.2.99>;expires=100')
        self.assertIn('plain/sip:plain@192.0.2.99', contacts(self.server, 'plain'))


class Restart(ServerTest):
    """What is bound to a connection does not outlive the server; everything else does."""
    pjsip = TRANSPORTS + phone_sections('udp', endpoint=REWRITE) + phone_sections('tcp', endpoint=REWRITE) + \
        phone_sections('plain')

    def test_restart(self):
        phones = []
        for user in ('udp', 'tcp', 'plain'):
            phone = Phone(self.server, user, transport='tcp' if user == 'tcp' else 'udp')
            phones.append(phone)
            self.assertEqual(phone.register([f'<sip:{user}@192.0.2.99>'], expires=1000).status, 200)
        before = {user: contacts(self.server, user) for user in ('udp', 'tcp', 'plain')}
        self.assertEqual(self.server.stop(), 0)
        for phone in phones:
            phone.close()
        self.server.start()
        after = {user: contacts(self.server, user) for user in ('udp', 'tcp', 'plain')}
        self.assertEqual(after, {**before, 'tcp': []})
        self.assertEqual(len(before['tcp']), 1)


if __name__ == '__main__':
    harness.main()
