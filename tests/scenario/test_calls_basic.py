"""Calls between scripted phones: ringing, answers, what passes, records, routes."""
import json
import os
import signal

import harness
from callphone import CallPhone, sdp
from harness import Phone, ServerTest, TRANSPORTS, phone_sections, wait_for

USERS = ('alice', 'bob', 'carol', 'dave')


class CallTest(ServerTest):
    conf = ''
    pjsip = TRANSPORTS + ''.join(phone_sections(u) for u in USERS)
    files = {}

    def phone(self, user, registered=True, contact=None, **kw):
        phone = CallPhone(self.server, user, **kw)
        self.addCleanup(phone.close)
        if registered:
            self.assertEqual(phone.register(contact and [contact], expires=300).status, 200)
            self.addCleanup(self.leave, phone, contact or phone.contact)
        return phone

    def leave(self, phone, contact):
        """From a socket of its own: on the phone's there may be messages that nobody has read."""
        with Phone(self.server, phone.user) as other:
            self.assertEqual(other.register([contact], expires=0, call_id='leave-' + phone.call_id).status, 200)

    def call(self, a, b, user=None, **kw):
        """Two phones that talk: the caller's and the callee's side."""
        out = a.invite(user or b.user, **kw)
        inc = b.ringing().ring()
        out.provisional(180)
        inc.accept()
        out.up()
        inc.acked()
        return out, inc

    def record(self, call_id):
        """The record of the call with that Call-ID at the caller's."""
        path = os.path.join(self.server.state, 'calls.json')

        def find():
            if not os.path.exists(path):
                return None
            with open(path) as f:
                return next((r for r in map(json.loads, f) if r['caller_call_id'] == call_id), None)
        found = wait_for(find)
        self.assertTrue(found, 'no record')
        return found

    def no_calls(self):
        self.assertTrue(wait_for(lambda: self.server.cli('calls', 'show', as_json=True) == []),
                        self.server.cli('calls', 'show'))


class Basic(CallTest):
    def test_a_call(self):
        a, b = self.phone('alice', False), self.phone('bob')
        out = a.invite('bob', sdp(4000), ['Subject: hello', 'User-to-User: 00;encoding=hex', 'X-Own: no'])
        inc = b.ringing()
        got = inc.request
        self.assertEqual(got.body, sdp(4000).encode())
        self.assertEqual((got.get('Subject'), got.get('User-to-User')), ('hello', '00;encoding=hex'))
        self.assertEqual(got.get('Max-Forwards'), '69')
        self.assertIsNone(got.get('X-Own'))
        self.assertNotEqual(got.get('Call-ID'), out.call_id)
        self.assertNotIn(out.local_tag, got.data.decode())
        self.assertNotIn(str(a.address[1]), got.get('Contact') + ''.join(got.all('Via')) + got.get('From'))
        self.assertIsNone(got.get('Authorization'))
        inc.ring()
        out.provisional(180)
        inc.accept(sdp(5000))
        answer = out.final()
        self.assertEqual((answer.status, answer.body), (200, sdp(5000).encode()))
        self.assertNotIn(inc.local_tag, answer.data.decode())
        inc.acked()
        shown = self.server.cli('calls', 'show', as_json=True)
        self.assertEqual([(c['state'], c['caller_endpoint'], c['callee_endpoint']) for c in shown],
                         [('Up', 'alice', 'bob')])
        self.assertIn('alice', self.server.cli('calls', 'show'))
        self.assertIn(out.call_id, self.server.cli('calls', 'show', str(shown[0]['id'])))
        out.send('BYE', ['Reason: Q.850;cause=16;text="Bye"'])
        bye = inc.expect('BYE')
        self.assertEqual(bye.get('Reason'), 'Q.850;cause=16;text="Bye"')
        self.assertEqual(out.response().status, 200)
        r = self.record(out.call_id)
        self.assertEqual((r['status'], r['ended_by'], r['cause'], r['caller_endpoint'], r['callee_endpoint']),
                         (200, 'caller', 'bye', 'alice', 'bob'))
        self.assertEqual((r['callee_call_id'], r['branches'], r['transfers']), (inc.call_id, 1, 0))
        self.assertTrue(r['start'] <= r['ring'] <= r['answer'] <= r['end'])
        self.no_calls()

    def test_the_callee_hangs_up(self):
        out, inc = self.call(self.phone('alice', False), self.phone('bob', transport='tcp'))
        self.assertEqual(inc.send('BYE') and out.expect('BYE').method, 'BYE')
        self.assertEqual(inc.response().status, 200)
        self.assertEqual(self.record(out.call_id)['ended_by'], 'callee')
        self.no_calls()

    def test_refusals(self):
        a, b = self.phone('alice', False), self.phone('bob')
        for status, gets in ((486, 486), (603, 603), (404, 404), (503, 500), (401, 403), (600, 600)):
            with self.subTest(status):
                out = a.invite('bob')
                inc = b.ringing()
                challenge = ['WWW-Authenticate: Digest realm="x", nonce="y"'] if status == 401 else []
                inc.refuse(status, 'Because', [*challenge, 'Reason: SIP;cause=1;text="x"'])
                inc.wait('ACK')
                answer = out.final()
                self.assertEqual(answer.status, gets)
                self.assertEqual(answer.get('Reason'), 'SIP;cause=1;text="x"')
                r = self.record(out.call_id)
                self.assertEqual((r['status'], r['answer'], r['ended_by']), (gets, None, 'callee'))
        self.no_calls()

    def test_nobody_there(self):
        a = self.phone('alice', False)
        for user, status, cause in (('nobody', 404, None), ('carol', 480, 'cause=20'), ('', 484, None)):
            out = a.invite(f'sip:{user}@127.0.0.1' if user else 'sip:127.0.0.1')
            answer = out.final()
            self.assertEqual(answer.status, status)
            if cause:
                self.assertIn(cause, answer.get('Reason'))
            self.assertEqual(self.record(out.call_id)['ended_by'], 'server')

    def test_cancel(self):
        a, b = self.phone('alice', False), self.phone('bob')
        out = a.invite('bob')
        inc = b.ringing().ring()
        out.provisional(180)
        out.cancel(['Reason: SIP;cause=600;text="Busy Everywhere"'])
        cancel = inc.cancelled()
        self.assertEqual(cancel.get('Reason'), 'SIP;cause=600;text="Busy Everywhere"')
        self.assertEqual(out.final().status, 487)
        r = self.record(out.call_id)
        self.assertEqual((r['status'], r['ended_by'], r['cause'], r['answer']), (487, 'caller', 'cancel', None))
        self.no_calls()

    def test_cancel_that_crosses_the_answer(self):
        a, b = self.phone('alice', False), self.phone('bob')
        out = a.invite('bob')
        inc = b.ringing().ring()
        out.provisional(180)
        out.cancel()
        cancel = inc.wait('CANCEL')
        self.assertIn('Reason', [n for n, _ in cancel.headers])
        inc.accept()
        inc.answer(cancel)
        inc.acked()
        inc.expect('BYE')
        self.assertEqual(out.final().status, 487)
        self.no_calls()

    def test_early_media(self):
        a, b = self.phone('alice', False), self.phone('bob')
        out = a.invite('bob')
        inc = b.ringing()
        inc.ring(183, sdp(5002))
        self.assertEqual(out.provisional(183).body, sdp(5002).encode())
        inc.ring(180)
        self.assertEqual(out.provisional(180).body, b'')
        inc.accept(sdp(5002))
        out.up()
        inc.acked()
        self.assertEqual(out.send('BYE') and inc.expect('BYE').method, 'BYE')
        out.response()
        self.no_calls()

    def test_all_that_passes_in_a_call(self):
        out, inc = self.call(self.phone('alice', False), self.phone('bob'))
        for x, y in ((out, inc), (inc, out)):
            for method, headers, body in (
                    ('INFO', ['Content-Type: application/dtmf-relay'], 'Signal=5\r\nDuration=160\r\n'),
                    ('MESSAGE', ['Content-Type: text/plain'], 'hello'),
                    ('UPDATE', [], sdp(4010, version=2)),
                    ('NOTIFY', ['Event: talk', 'Subscription-State: active', 'Content-Type: text/plain'], 'x')):
                with self.subTest(method):
                    x.send(method, headers, body)
                    got = y.wait(method)
                    self.assertEqual(got.body, body.encode())
                    y.answer(got, body=sdp(5010, version=2) if method == 'UPDATE' else '')
                    answer = x.response(method=method)
                    self.assertEqual(answer.status, 200)
                    if method == 'UPDATE':
                        self.assertEqual(answer.body, sdp(5010, version=2).encode())
            hold = sdp(4000, 'sendonly', 3)
            cseq = x.send('INVITE', body=hold)
            got = y.wait('INVITE')
            self.assertEqual(got.body, hold.encode())
            y.answer(got, body=sdp(5000, 'recvonly', 3))
            answer = x.response(cseq, 'INVITE')
            self.assertEqual((answer.status, answer.body), (200, sdp(5000, 'recvonly', 3).encode()))
            x.ack(answer, cseq)
            y.wait('ACK')
        # Without an offer: the ACK has the answer.
        cseq = out.send('INVITE')
        got = inc.wait('INVITE')
        self.assertEqual(got.body, b'')
        inc.answer(got, body=sdp(5000, version=9))
        answer = out.response(cseq, 'INVITE')
        out.ack(answer, cseq, sdp(4000, version=9))
        self.assertEqual(inc.wait('ACK').body, sdp(4000, version=9).encode())
        # Refused.
        cseq = out.send('INVITE', body=sdp(4000))
        inc.answer(inc.wait('INVITE'), 488, 'Not Acceptable Here')
        answer = out.response(cseq, 'INVITE')
        self.assertEqual(answer.status, 488)
        out.send('BYE')
        inc.expect('BYE')
        self.no_calls()

    def test_glare_across_the_legs(self):
        out, inc = self.call(self.phone('alice', False), self.phone('bob'))
        first = inc.send('INVITE', body=sdp(5000, version=2))
        got = out.wait('INVITE')
        second = out.send('INVITE', body=sdp(4000, version=2))
        self.assertEqual(out.response(second, 'INVITE').status, 491)
        out.answer(got, body=sdp(4000, version=3))
        answer = inc.response(first, 'INVITE')
        self.assertEqual(answer.status, 200)
        inc.ack(answer, first)
        out.wait('ACK')
        out.send('BYE')
        inc.expect('BYE')
        self.no_calls()

    def test_without_an_offer(self):
        a, b = self.phone('alice', False), self.phone('bob')
        out = a.invite('bob', body='')
        inc = b.ringing()
        self.assertEqual(inc.request.body, b'')
        inc.accept(sdp(5000))
        answer = out.final(ack_body=sdp(4000))
        self.assertEqual(answer.body, sdp(5000).encode())
        self.assertEqual(inc.acked().body, sdp(4000).encode())
        inc.send('BYE')
        out.expect('BYE')
        self.no_calls()

    def test_no_hop_left(self):
        a, b = self.phone('alice', False), self.phone('bob')
        for hops, status in ((0, 483), (1, None)):
            with self.subTest(hops):
                out = a.invite('bob', hops=hops)
                if status:
                    self.assertEqual(out.final().status, status)
                else:
                    inc = b.ringing()
                    self.assertEqual(inc.request.get('Max-Forwards'), '0')
                    inc.refuse(486)
                    self.assertEqual(out.final().status, 486)

    def test_hangup_by_command(self):
        out, inc = self.call(self.phone('alice', False), self.phone('bob'))
        shown = self.server.cli('calls', 'show', as_json=True)
        self.server.cli('calls', 'hangup', str(shown[0]['id']))
        for side in (out, inc):
            self.assertIn('operator', side.expect('BYE').get('Reason'))
        r = self.record(out.call_id)
        self.assertEqual((r['ended_by'], r['cause']), ('server', 'command'))
        self.assertNotEqual(self.server.cli('calls', 'hangup', '999999', check=False).returncode, 0)
        # While it rings.
        a, b = self.phone('alice', False), self.phone('bob')
        out = a.invite('bob')
        inc = b.ringing().ring()
        out.provisional(180)
        shown = self.server.cli('calls', 'show', as_json=True)
        self.assertEqual(shown[0]['state'], 'Ringing')
        self.server.cli('calls', 'hangup', str(shown[0]['id']))
        inc.cancelled()
        self.assertEqual(out.final().status, 480)
        self.no_calls()

    def test_records_are_reopened(self):
        path = os.path.join(self.server.state, 'calls.json')
        a = self.phone('alice', False)
        self.record(self.gone(a))
        os.rename(path, path + '.1')
        self.server.process.send_signal(signal.SIGUSR1)
        self.assertTrue(wait_for(lambda: os.path.exists(path)))
        call_id = self.gone(a)
        self.record(call_id)
        with open(path) as f:
            self.assertEqual(len(f.readlines()), 1)

    def gone(self, a):
        out = a.invite('nobody')
        out.final()
        return out.call_id


class Forks(CallTest):
    def fork(self, n=2, qs=None):
        phones = []
        for i in range(n):
            p = CallPhone(self.server, 'dave')
            contact = p.contact + (f';q={qs[i]}' if qs else '')
            self.assertEqual(p.register([contact], expires=300).status, 200)
            self.addCleanup(p.close)
            self.addCleanup(self.leave, p, p.contact)
            phones.append(p)
        return phones

    def test_all_ring_and_one_answers(self):
        a = self.phone('alice', False)
        one, two = self.fork()
        out = a.invite('dave')
        first, second = one.ringing().ring(), two.ringing().ring()
        out.provisional(180)
        second.accept()
        self.assertEqual(out.final().status, 200)
        second.acked()
        self.assertEqual(first.cancelled().get('Reason'), 'SIP;cause=200;text="Call completed elsewhere"')
        first.wait('ACK')
        out.send('BYE')
        second.expect('BYE')
        self.assertEqual(self.record(out.call_id)['branches'], 2)
        self.no_calls()

    def test_two_answers(self):
        a = self.phone('alice', False)
        one, two = self.fork()
        out = a.invite('dave')
        first, second = one.ringing().ring(), two.ringing().ring()
        out.provisional(180)
        first.accept()
        out.up()
        first.acked()
        cancel = second.wait('CANCEL')
        second.accept()
        second.answer(cancel)
        second.acked()
        second.expect('BYE')
        first.send('BYE')
        out.expect('BYE')
        self.no_calls()

    def test_by_q(self):
        a = self.phone('alice', False)
        low, high = self.fork(qs=['0.1', '0.9'])
        out = a.invite('dave')
        inc = high.ringing()
        self.assertIsNone(low.ringing(0.2))
        inc.refuse(486)
        inc = low.ringing()
        inc.refuse(404)
        self.assertEqual(out.final().status, 404)
        self.no_calls()

    def test_a_6xx_ends_it(self):
        a = self.phone('alice', False)
        one, two = self.fork()
        out = a.invite('dave')
        first, second = one.ringing().ring(), two.ringing().ring()
        first.refuse(603)
        second.cancelled()
        self.assertEqual(out.final().status, 603)
        self.no_calls()

    def test_early_media_of_one_and_the_answer_of_another(self):
        a = self.phone('alice', False)
        one, two = self.fork()
        out = a.invite('dave')
        first, second = one.ringing(), two.ringing()
        first.ring(183, sdp(6001))
        self.assertEqual(out.provisional(183).body, sdp(6001).encode())
        second.ring(183, sdp(6002))
        self.assertEqual(out.provisional(183).body, b'')
        second.accept(sdp(6002))
        self.assertEqual(out.final().body, sdp(6002).encode())
        second.acked()
        first.cancelled()
        out.send('BYE')
        second.expect('BYE')
        self.no_calls()


class Reliable(CallTest):
    """100rel on both legs."""
    pjsip = TRANSPORTS + ''.join(phone_sections(u, endpoint='100rel=peer_supported') for u in ('alice', 'dave'))

    def ring(self, inc, rseq, body=''):
        """A reliable 183, which the server acknowledges; the PRACK."""
        inc.ring(183, body, ['Require: 100rel', f'RSeq: {rseq}'])
        return inc.expect('PRACK')

    def told(self, out, body):
        """The same at the caller's."""
        got = out.provisional(183)
        self.assertEqual((got.body, got.get('Require')), (body, '100rel'))
        return got

    def acknowledge(self, out, got, body=''):
        cseq = got.get('CSeq')
        out.send('PRACK', [f'RAck: {got.get("RSeq")} {cseq}'], body)
        answer = out.response(method='PRACK')
        self.assertEqual(answer.status, 200)
        return answer

    def end(self, out, inc):
        out.send('BYE')
        inc.expect('BYE')
        self.no_calls()

    def test_early_media(self):
        a, d = self.phone('alice', False), self.phone('dave')
        out = a.invite('dave', sdp(4000), ['Supported: 100rel'])
        inc = d.ringing()
        self.assertIn('100rel', inc.request.get('Supported'))
        self.assertEqual(self.ring(inc, 7, sdp(5000)).get('RAck').split()[0], '7')
        self.acknowledge(out, self.told(out, sdp(5000).encode()))
        # While it rings the media is changed, from either side.
        for x, y in ((out, inc), (inc, out)):
            x.send('UPDATE', body=sdp(4002))
            y.expect('UPDATE', body=sdp(5002))
            answer = x.response(method='UPDATE')
            self.assertEqual((answer.status, answer.body), (200, sdp(5002).encode()))
        inc.accept('')
        self.assertEqual(out.final().body, b'')
        inc.acked()
        self.end(out, inc)

    def test_the_offer_is_the_callees(self):
        a, d = self.phone('alice', False), self.phone('dave')
        out = a.invite('dave', '', ['Supported: 100rel'])
        inc = d.ringing()
        inc.ring(183, sdp(5000), ['Require: 100rel', 'RSeq: 1'])
        got = self.told(out, sdp(5000).encode())
        out.send('PRACK', [f'RAck: {got.get("RSeq")} {got.get("CSeq")}'], sdp(4000))
        prack = inc.expect('PRACK')
        self.assertEqual(prack.body, sdp(4000).encode())
        self.assertEqual(out.response(method='PRACK').status, 200)
        inc.accept('')
        out.final()
        inc.acked()
        self.end(out, inc)

    def test_nobody_asks_for_an_offer_that_cannot_be_answered(self):
        a, d = self.phone('alice', False), self.phone('dave')
        out = a.invite('dave', '')
        inc = d.ringing()
        self.assertNotIn('100rel', inc.request.get('Supported') or '')
        inc.refuse(486)
        self.assertEqual(out.final().status, 486)
        self.no_calls()

    def test_reliable_media_of_one_and_the_answer_of_another(self):
        """The caller's 200 says nothing of media; both are asked anew behind its ACK."""
        a = self.phone('alice', False)
        one, two = self.phone('dave'), self.phone('dave')
        out = a.invite('dave', sdp(4000), ['Supported: 100rel'])
        first, second = one.ringing(), two.ringing()
        self.ring(first, 1, sdp(6001))
        self.acknowledge(out, self.told(out, sdp(6001).encode()))
        second.accept(sdp(6002))
        self.assertEqual(out.final().body, b'')
        second.acked()
        first.cancelled()
        a1 = out.wait('INVITE')
        self.assertEqual(a1.body, b'')
        out.answer(a1, body=sdp(4001))
        self.assertEqual(second.expect('INVITE', body=sdp(6003)).body, sdp(4001).encode())
        self.assertEqual(out.wait('ACK').body, sdp(6003).encode())
        self.end(out, second)


class Loop(CallTest):
    """A name whose contact is this server's own."""
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
"""

    def test_it_ends_with_max_forwards(self):
        out = self.phone('alice', False).invite('round', hops=5)
        self.assertEqual(out.final().status, 483)
        self.no_calls()


class Limits(CallTest):
    pjsip = TRANSPORTS + ''.join(phone_sections(u) for u in ('alice', 'carol')) + \
        phone_sections('bob', endpoint='device_state_busy_at=1')
    files = {'calls.conf': '[general]\nring_timeout=1\nmax_duration=1\n'}

    def test_busy_at(self):
        a, b, c = self.phone('alice', False), self.phone('bob'), self.phone('carol', False)
        out = a.invite('bob')
        inc = b.ringing().ring()
        second = c.invite('bob')
        self.assertEqual(second.final().status, 486)
        inc.accept()
        out.up()
        inc.acked()
        # And after the longest time a call may last both hear of it, even when one of them does not answer.
        byes = [(side, side.wait('BYE')) for side in (out, inc)]
        for side, bye in byes:
            self.assertIn('duration', bye.get('Reason'))
            side.answer(bye)
        self.assertEqual(self.record(out.call_id)['cause'], 'max_duration')
        third = c.invite('bob')
        b.ringing().refuse(486)
        self.assertEqual(third.final().status, 486)
        self.no_calls()

    def test_no_answer(self):
        a, b = self.phone('alice', False), self.phone('bob')
        out = a.invite('bob')
        inc = b.ringing().ring()
        out.provisional(180)
        inc.cancelled()
        answer = out.final()
        self.assertEqual(answer.status, 480)
        self.assertIn('cause=19', answer.get('Reason'))
        self.assertEqual(self.record(out.call_id)['cause'], 'no answer')
        self.no_calls()

    def test_no_reaction(self):
        a, b = self.phone('alice', False), self.phone('bob')
        out = a.invite('bob')
        b.ringing()
        answer = out.final()
        self.assertEqual(answer.status, 408)
        self.assertIn('cause=18', answer.get('Reason'))


class AtOnce(CallTest):
    """Calls at once. They ring for as long as the test wants: a busy machine must not end them by itself."""
    pjsip = TRANSPORTS + ''.join(phone_sections(u) for u in ('alice', 'carol'))
    files = {'calls.conf': '[general]\nmax_calls=3\n'}

    def test_too_many(self):
        phones = [self.phone('alice', False) for _ in range(4)]
        carol = self.phone('carol')
        calls = [p.invite('carol') for p in phones[:3]]
        rung = [carol.ringing().ring() for _ in calls]
        self.assertEqual(phones[3].invite('carol').final().status, 503)
        for c in calls:
            c.provisional(180)
            c.cancel()
            self.assertEqual(c.final().status, 487)
        for r in rung:
            r.cancelled()
        self.no_calls()


class Routes(CallTest):
    pjsip = TRANSPORTS + ''.join(phone_sections(u) for u in ('alice', 'trunk1', 'trunk2')) + \
        '\n[core]\ntype=endpoint\naors=core\nredirect_method=uri_core\n[core]\ntype=aor\nmax_contacts=5\n'
    files = {'calls.conf': '''
[emergency]
type=route
pattern=110
endpoint=trunk2
[outside]
type=route
pattern=_0Z.
strip=1
prefix=+49
endpoint=trunk1, trunk2
timeout=1
continue_on=unreachable, no_answer, 5xx
'''}

    def test_first_match_and_rewriting(self):
        a, t1, t2 = self.phone('alice', False), self.phone('trunk1'), self.phone('trunk2')
        out = a.invite('110')
        t2.ringing().refuse(486)
        self.assertEqual(out.final().status, 486)
        out = a.invite('0301234')
        inc = t1.ringing()
        self.assertIn('sip:+49301234@', inc.request.start)
        inc.refuse(486)
        self.assertEqual(out.final().status, 486)
        self.assertIsNone(t2.ringing(0.2))
        self.assertEqual(a.invite('0030').final().status, 404)

    def test_goes_on(self):
        a, t1, t2 = self.phone('alice', False), self.phone('trunk1'), self.phone('trunk2')
        out = a.invite('0301234')
        t1.ringing().refuse(503)
        inc = t2.ringing().ring()
        out.provisional(180)
        inc.accept()
        out.up()
        inc.acked()
        out.send('BYE')
        inc.expect('BYE')
        self.leave(t1, t1.contact)
        out = a.invite('0301234')
        t2.ringing().refuse(404)
        self.assertEqual(out.final().status, 404)
        self.no_calls()

    def redirect(self, first, contacts):
        out = self.a.invite(first.user if first.user != 'trunk1' else '0301234')
        inc = first.ringing()
        inc.refuse(302, 'Moved', [f'Contact: {c}' for c in contacts])
        return out

    def test_redirect_to_a_number(self):
        self.a, t1, t2 = self.phone('alice', False), self.phone('trunk1'), self.phone('trunk2')
        out = self.redirect(t1, ['<sip:110@example.com>'])
        out.provisional(181)
        inc = t2.ringing()
        inc.refuse(486)
        self.assertEqual(out.final().status, 486)
        # By their q, and nowhere twice.
        out = self.redirect(t1, ['<sip:nobody@x>;q=0.9', '<sip:110@y>;q=0.5'])
        t2.ringing().refuse(302, 'Moved', ['Contact: <sip:110@y>'])
        self.assertEqual(out.final().status, 482)

    def test_redirect_to_a_uri(self):
        self.a, core, other = self.phone('alice', False), self.phone('core'), self.phone('trunk1')
        out = self.redirect(core, [f'<sip:other@{other.host}:{other.address[1]}>'])
        inc = other.ringing()
        self.assertIn('sip:other@', inc.request.start)
        inc.accept()
        out.up()
        inc.acked()
        inc.send('BYE')
        out.expect('BYE')
        self.no_calls()

    def test_redirect_depth(self):
        self.a, core = self.phone('alice', False), self.phone('core')
        out = self.redirect(core, [f'<sip:n0@{core.host}:{core.address[1]}>'])
        for n in range(1, 6):
            core.ringing().refuse(302, 'Moved', [f'Contact: <sip:n{n}@{core.host}:{core.address[1]}>'])
        self.assertEqual(out.final().status, 482)
        self.no_calls()


class PassedRedirects(CallTest):
    files = {'calls.conf': '[general]\nredirect=pass\n'}

    def test_the_caller_gets_it(self):
        a, b = self.phone('alice', False), self.phone('bob')
        out = a.invite('bob')
        b.ringing().refuse(302, 'Moved', ['Contact: <sip:carol@example.com>;q=0.5', 'Contact: <sip:dave@example.com>'])
        answer = out.final()
        self.assertEqual((answer.status, answer.all('Contact')),
                         (302, ['<sip:carol@example.com>;q=0.5', '<sip:dave@example.com>']))


class Sample(CallTest):
    """The two phones of the configuration that `make run` uses."""
    files = {}

    @classmethod
    def setUpClass(cls):
        for name in ('pjsip.conf', 'modules.conf', 'res_sip.conf', 'calls.conf'):
            with open(os.path.join(harness.SOURCE, 'etc', name)) as f:
                cls.files[name] = f.read()
        text = cls.files.pop('pjsip.conf').replace('127.0.0.1:5060', '127.0.0.1:@UDP@', 1)
        cls.pjsip = text.replace('127.0.0.1:5060', '127.0.0.1:@TCP@', 1)
        super().setUpClass()

    def leave(self, phone, contact):
        """The server is only this test's."""

    def test_they_call_each_other(self):
        alice, bob = self.phone('alice', password='wonderland'), self.phone('bob', password='builder', transport='tcp')
        for x, y in ((alice, bob), (bob, alice)):
            out, inc = self.call(x, y)
            inc.send('BYE')
            out.expect('BYE')
            self.no_calls()


class Stop(CallTest):
    def leave(self, phone, contact):
        """There is nobody to tell it to."""

    def test_calls_end_with_the_server(self):
        out, inc = self.call(self.phone('alice', False), self.phone('bob'))
        self.server.process.send_signal(signal.SIGTERM)
        for side in (out, inc):
            self.assertEqual(side.expect('BYE').method, 'BYE')
        self.assertTrue(wait_for(lambda: self.server.process.poll() is not None))
        self.assertEqual(self.record(out.call_id)['cause'], 'shutdown')


if __name__ == '__main__':
    harness.main()
