"""OPTIONS outside of any dialog, on every transport."""
import harness
from harness import Phone, ServerTest, TRANSPORTS, phone_sections
from sippflow import Flow

ABLE = [('Allow', method) for method in ('OPTIONS', 'REGISTER', 'MESSAGE')] + [
    ('Accept', r'\*/\*'), ('Accept-Encoding', 'identity'), ('Accept-Language', 'en'), ('Supported', 'path'),
    ('Server', 'res_sip'), ('To', 'tag=')]


class Options(ServerTest):
    pjsip = TRANSPORTS + phone_sections('alice') + '\n[open]\ntype=endpoint\n[place]\ntype=aor\n'

    def test_what_the_server_can_do(self):
        for transport in ('u1', 't1'):
            f = Flow('open').send('OPTIONS').expect(200, has=ABLE, lacks=['Contact'])
            f.send('OPTIONS', uri='sip:127.0.0.1;transport=tcp').expect(200, has=ABLE)
            f.send('OPTIONS', uri='sip:alice@127.0.0.1').expect(200, has=ABLE)
            f.send('OPTIONS', uri='sip:place@127.0.0.1').expect(200, has=ABLE)
            f.send('OPTIONS', uri='sip:nobody@127.0.0.1').expect(404, has=ABLE)
            f.run(self.server, transport)
            Flow('alice').request('OPTIONS', has=ABLE).request('OPTIONS', uri='sip:nobody@127.0.0.1', status=404) \
                .run(self.server, transport)

    def test_many_at_once(self):
        for transport in ('u1', 'un', 't1', 'tn'):
            Flow('open').send('OPTIONS').expect(200).run(self.server, transport, '-r', '1000', '-max_socket', '250',
                                                         calls=200)

    def test_no_hop_left(self):
        with Phone(self.server, 'open') as phone:
            for uri, status in (('sip:127.0.0.1', 200), ('sip:alice@127.0.0.1', 483), ('sip:192.0.2.1', 483)):
                phone.send(phone.request('OPTIONS', uri).replace(b'Max-Forwards: 70', b'Max-Forwards: 0'))
                self.assertEqual(phone.final().status, status, uri)

    def test_only_what_passed_digest_is_kept(self):
        def kept():
            return self.server.cli('core', 'show', 'memory', as_json=True)['completed_transactions']

        def again(phone, request):
            """The bytes of the answers to it and to its retransmission."""
            phone.send(request)
            first = phone.final()
            phone.send(request)
            second = phone.final()
            self.assertEqual((first.status, second.status), (200, 200))
            return first.data, second.data

        with Phone(self.server, 'open') as phone, Phone(self.server, 'alice') as alice:
            before = kept()
            self.assertEqual(*again(phone, phone.request('OPTIONS')))
            self.assertEqual(kept(), before)
            challenge = alice.ask('OPTIONS').get('WWW-Authenticate')
            value = harness.credentials(challenge, 'OPTIONS', 'sip:127.0.0.1', 'alice', 'secret')
            self.assertEqual(*again(alice, alice.request('OPTIONS', 'sip:127.0.0.1', [f'Authorization: {value}'])))
            self.assertEqual(kept(), before + 1)

    def test_each_of_many_in_one_segment_is_answered_once(self):
        with Phone(self.server, 'open', transport='tcp') as phone:
            requests = [phone.request('OPTIONS') for _ in range(50)]
            phone.send(b''.join(requests))
            answers = [phone.final() for _ in requests]
            self.assertEqual(sorted(a.get('CSeq') for a in answers),
                             sorted(harness.Message(r).get('CSeq') for r in requests))

    def test_keepalives_between_requests(self):
        with Phone(self.server, 'open', transport='tcp') as phone:
            phone.send(b'\r\n\r\n' + phone.request('OPTIONS') + b'\r\n\r\n' + phone.request('OPTIONS'))
            self.assertEqual([phone.final().status, phone.final().status], [200, 200])

    def test_other_methods(self):
        with Phone(self.server, 'open') as phone:
            for method, status in (('PING', 501), ('INFO', 481), ('BYE', 481), ('UPDATE', 481)):
                self.assertEqual(phone.ask(method).status, status, method)
            self.assertIn('OPTIONS', phone.ask('PING').get('Allow'))

    def test_what_is_required_and_not_there(self):
        with Phone(self.server, 'alice') as phone:
            answer = phone.ask('OPTIONS', headers=['Require: path, teleport', 'Proxy-Require: gate'])
            self.assertEqual((answer.status, answer.get('Unsupported')), (420, 'teleport, gate'))


if __name__ == '__main__':
    harness.main()
