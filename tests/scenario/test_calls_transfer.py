"""Transfers between scripted phones: REFER blind and attended, INVITE with Replaces."""
import urllib.parse

import harness
from callphone import sdp
from harness import TRANSPORTS, phone_sections
from test_calls_basic import CallTest


def replaces(call):
    """What a phone writes in Refer-To to have its dialog replaced."""
    value = f'{call.call_id};to-tag={call.remote_tag};from-tag={call.local_tag}'
    return urllib.parse.quote(value, safe='')


class TransferTest(CallTest):
    pjsip = TRANSPORTS + ''.join(phone_sections(u) for u in ('alice', 'bob', 'carol', 'dave')) + \
        phone_sections('erin', endpoint='allow_transfer=no') + \
        phone_sections('frank', endpoint='refer_blind_progress=no')

    def refer(self, call, target, headers=(), status=202):
        call.send('REFER', [f'Refer-To: {target}', *headers])
        answer = call.response(method='REFER')
        self.assertEqual(answer.status, status)
        return answer

    def notified(self, call, sip):
        notify = call.expect('NOTIFY')
        self.assertTrue(notify.get('Event').startswith('refer'))
        self.assertTrue(notify.get('Content-Type').startswith('message/sipfrag'))
        self.assertIn(f'SIP/2.0 {sip} ', notify.body.decode())
        state = notify.get('Subscription-State')
        self.assertTrue(state.startswith('terminated' if sip >= 200 else 'active'), state)
        return notify


class Blind(TransferTest):
    def blind(self, hangs_up=False, referrer='bob', progress=True):
        """alice calls; the callee sends her to carol."""
        alice, bob, carol = self.phone('alice', False), self.phone(referrer), self.phone('carol')
        a, b = self.call(alice, bob)
        self.refer(b, '<sip:carol@127.0.0.1>', ['Referred-By: <sip:bob@127.0.0.1>'])
        self.notified(b, 100 if progress else 200)
        if hangs_up:
            self.assertEqual(b.bye().status, 200)
        c = carol.ringing()
        self.assertEqual(c.request.body, b'')
        self.assertEqual(c.request.get('Referred-By'), '<sip:bob@127.0.0.1>')
        c.ring()
        if progress:
            self.notified(b, 180)
        return a, b, c

    def complete(self, a, c):
        """carol answers with an offer, which alice answers."""
        c.accept(sdp(7000))
        got = a.wait('INVITE')
        self.assertEqual(got.body, sdp(7000).encode())
        a.answer(got, body=sdp(4000, version=5))
        a.wait('ACK')
        self.assertEqual(c.acked().body, sdp(4000, version=5).encode())

    def talk_and_end(self, a, c):
        c.send('INFO', ['Content-Type: application/dtmf-relay'], 'Signal=1\r\n')
        a.expect('INFO')
        self.assertEqual(c.response(method='INFO').status, 200)
        a.send('BYE')
        c.expect('BYE')
        self.no_calls()

    def test_completed(self):
        a, b, c = self.blind()
        self.complete(a, c)
        self.notified(b, 200)
        b.expect('BYE')
        self.talk_and_end(a, c)
        r = self.record(a.call_id)
        self.assertEqual((r['transfers'], r['transfer_call_id'], r['ended_by']), (1, c.call_id, 'caller'))

    def test_the_referrer_hangs_up_at_once(self):
        a, b, c = self.blind(hangs_up=True)
        self.complete(a, c)
        self.notified(b, 200)
        self.talk_and_end(a, c)

    def test_without_progress(self):
        a, b, c = self.blind(referrer='frank', progress=False)
        self.complete(a, c)
        b.expect('BYE')
        self.talk_and_end(a, c)

    def test_the_target_is_busy(self):
        a, b, c = self.blind()
        c.refuse(486)
        self.notified(b, 486)
        # The call is as it was.
        b.send('INFO', ['Content-Type: application/dtmf-relay'], 'Signal=1\r\n')
        a.expect('INFO')
        b.response(method='INFO')
        # And may be transferred again; now the notifications say which REFER they belong to.
        cseq = b.cseq + 1
        self.refer(b, '<sip:nobody@127.0.0.1>')
        events = [b.expect('NOTIFY').get('Event') for _ in range(2)]
        self.assertEqual(events, [f'refer;id={cseq}'] * 2)
        a.send('BYE')
        b.expect('BYE')
        self.no_calls()

    def test_busy_when_the_referrer_has_gone(self):
        a, b, c = self.blind(hangs_up=True)
        c.refuse(486)
        self.notified(b, 486)
        a.expect('BYE')
        self.no_calls()

    def test_the_transferee_hangs_up(self):
        a, b, c = self.blind()
        a.send('BYE')
        c.cancelled()
        self.notified(b, 480)
        b.expect('BYE')
        self.no_calls()

    def test_by_the_caller(self):
        alice, bob, carol = self.phone('alice', False), self.phone('bob'), self.phone('carol')
        a, b = self.call(alice, bob)
        self.refer(a, '<sip:carol@127.0.0.1>')
        self.notified(a, 100)
        c = carol.ringing()
        c.ring()
        self.notified(a, 180)
        self.complete(b, c)
        self.notified(a, 200)
        a.expect('BYE')
        c.send('BYE')
        b.expect('BYE')
        self.no_calls()

    def test_without_subscription(self):
        alice, bob, carol = self.phone('alice', False), self.phone('bob'), self.phone('carol')
        a, b = self.call(alice, bob)
        answer = self.refer(b, '<sip:carol@127.0.0.1>', ['Refer-Sub: false', 'Supported: norefersub'])
        self.assertEqual(answer.get('Refer-Sub'), 'false')
        c = carol.ringing()
        self.complete(a, c)
        b.expect('BYE')
        self.assertTrue(bob.nothing('NOTIFY'))
        self.talk_and_end(a, c)

    def test_refused(self):
        alice, erin = self.phone('alice', False), self.phone('erin')
        a, e = self.call(alice, erin)
        self.refer(e, '<sip:carol@127.0.0.1>', status=603)
        self.refer(a, '<http://example.com/>', status=416)
        self.refer(a, '<sip:carol@127.0.0.1;method=BYE>', status=501)
        self.refer(a, '<sip:carol@127.0.0.1?Replaces=nothing>', status=400)
        self.refer(a, '<sip:carol@127.0.0.1?Replaces=x%3Bto-tag%3Dy%3Bfrom-tag%3Dz>', status=481)
        a.send('BYE')
        e.expect('BYE')
        self.no_calls()

    def test_the_target_does_not_fit(self):
        a, b, c = self.blind()
        c.accept(sdp(7000))
        a.answer(a.wait('INVITE'), 488, 'Not Acceptable Here')
        c.acked()
        c.expect('BYE')
        self.notified(b, 488)
        a.send('BYE')
        b.expect('BYE')
        self.no_calls()


class Attended(TransferTest):
    def two_calls(self):
        """bob talks to alice, who called him, and to carol, whom he called."""
        alice, bob, carol = self.phone('alice', False), self.phone('bob'), self.phone('carol')
        a, b = self.call(alice, bob)
        b2, c = self.call(bob, carol)
        return a, b, b2, c

    def joined(self, a, c):
        """alice is asked for an offer, carol answers it."""
        got = a.wait('INVITE')
        self.assertEqual(got.body, b'')
        a.answer(got, body=sdp(4000, version=7))
        got = c.wait('INVITE')
        self.assertEqual(got.body, sdp(4000, version=7).encode())
        c.answer(got, body=sdp(7000, version=7))
        c.wait('ACK')
        self.assertEqual(a.wait('ACK').body, sdp(7000, version=7).encode())

    def test_completed(self):
        a, b, b2, c = self.two_calls()
        self.refer(b, f'<sip:carol@127.0.0.1?Replaces={replaces(b2)}>')
        self.notified(b, 100)
        self.joined(a, c)
        self.notified(b, 200)
        b2.expect('BYE')
        b.expect('BYE')
        for x, y in ((a, c), (c, a)):
            x.send('INFO', ['Content-Type: application/dtmf-relay'], 'Signal=1\r\n')
            y.expect('INFO')
            self.assertEqual(x.response(method='INFO').status, 200)
            cseq = x.send('INVITE', body=sdp(1111))
            y.answer(y.wait('INVITE'), body=sdp(2222))
            answer = x.response(cseq, 'INVITE')
            self.assertEqual(answer.body, sdp(2222).encode())
            x.ack(answer, cseq)
            y.wait('ACK')
        self.assertEqual(len(self.server.cli('calls', 'show', as_json=True)), 1)
        c.send('BYE')
        a.expect('BYE')
        self.no_calls()
        self.assertEqual(self.record(a.call_id)['transfers'], 1)
        self.assertEqual(self.record(b2.call_id)['cause'], 'transfer')

    def test_the_other_way_round(self):
        """REFER in the second call names the first."""
        a, b, b2, c = self.two_calls()
        self.refer(b2, f'<sip:alice@127.0.0.1?Replaces={replaces(b)}>')
        self.notified(b2, 100)
        self.joined(c, a)
        self.notified(b2, 200)
        b2.expect('BYE')
        b.expect('BYE')
        a.send('BYE')
        c.expect('BYE')
        self.no_calls()

    def test_hang_up_at_once(self):
        a, b, b2, c = self.two_calls()
        self.refer(b, f'<sip:carol@127.0.0.1?Replaces={replaces(b2)}>')
        self.notified(b, 100)
        b.send('BYE')
        self.joined(a, c)
        b2.expect('BYE')
        a.send('BYE')
        c.expect('BYE')
        self.no_calls()

    def test_refused_media(self):
        a, b, b2, c = self.two_calls()
        self.refer(b, f'<sip:carol@127.0.0.1?Replaces={replaces(b2)}>')
        self.notified(b, 100)
        a.answer(a.wait('INVITE'), body=sdp(4000))
        c.answer(c.wait('INVITE'), 488, 'Not Acceptable Here')
        a.wait('ACK')
        self.notified(b, 488)
        for side in (a, c, b2):
            side.expect('BYE')
        b.send('BYE')
        self.no_calls()

    def test_somebody_elses_call(self):
        a, b, b2, c = self.two_calls()
        dave, erin = self.phone('dave'), self.phone('alice', False)
        x, d = self.call(erin, dave)
        self.refer(b, f'<sip:carol@127.0.0.1?Replaces={replaces(d)}>')
        self.notified(b, 100)
        self.notified(b, 481)
        for one, other in ((a, b), (b2, c), (x, d)):
            one.send('BYE')
            other.expect('BYE')
        self.no_calls()

    def test_while_it_rings(self):
        """The other call has not been answered: carol is rung anew, for alice."""
        alice, bob, carol = self.phone('alice', False), self.phone('bob'), self.phone('carol')
        a, b = self.call(alice, bob)
        b2 = bob.invite('carol')
        first = carol.ringing().ring()
        b2.provisional(180)
        self.refer(b, f'<sip:carol@127.0.0.1?Replaces={replaces(b2)}>')
        self.notified(b, 100)
        first.cancelled()
        self.assertEqual(b2.final().status, 487)
        c = carol.ringing()
        c.accept(sdp(7000))
        a.answer(a.wait('INVITE'), body=sdp(4000))
        a.wait('ACK')
        c.acked()
        self.notified(b, 200)
        b.expect('BYE')
        a.send('BYE')
        c.expect('BYE')
        self.no_calls()


class Replaces(TransferTest):
    def replace(self, phone, call, extra='', body=sdp(8000)):
        value = f'{call.call_id};to-tag={call.remote_tag};from-tag={call.local_tag}{extra}'
        return phone.invite('bob', body, [f'Replaces: {value}', 'Require: replaces'])

    def test_a_leg_that_is_up(self):
        a, b = self.call(self.phone('alice', False), self.phone('bob'))
        dave = self.phone('dave', False)
        d = self.replace(dave, b)
        got = a.wait('INVITE')
        self.assertEqual(got.body, sdp(8000).encode())
        a.answer(got, body=sdp(4000, version=8))
        answer = d.final()
        self.assertEqual((answer.status, answer.body), (200, sdp(4000, version=8).encode()))
        a.wait('ACK')
        b.expect('BYE')
        a.send('INFO', ['Content-Type: application/dtmf-relay'], 'Signal=1\r\n')
        d.expect('INFO')
        d.send('BYE')
        a.expect('BYE')
        self.no_calls()

    def test_rules(self):
        a, b = self.call(self.phone('alice', False), self.phone('bob'))
        dave, erin = self.phone('dave', False), self.phone('erin', False)
        self.assertEqual(self.replace(dave, b, ';early-only').final().status, 486)
        self.assertEqual(self.replace(erin, b).final().status, 603)
        out = dave.invite('bob', headers=['Replaces: x;to-tag=1;from-tag=2'])
        self.assertEqual(out.final().status, 481)
        out = dave.invite('bob', headers=['Replaces: x'])
        self.assertEqual(out.final().status, 400)
        a.send('BYE')
        b.expect('BYE')
        self.no_calls()

    def test_an_early_leg_of_the_callers(self):
        alice, bob, dave = self.phone('alice', False), self.phone('bob'), self.phone('dave', False)
        a = alice.invite('bob')
        b = bob.ringing().ring()
        a.provisional(180)
        self.assertEqual(self.replace(dave, a).final().status, 481)
        # Pick-up: the leg of the phone that rings.
        d = self.replace(dave, b, ';early-only')
        b.cancelled()
        self.assertEqual(a.final(ack=False).body, sdp(8000).encode())
        self.assertEqual(d.final().body, sdp().encode())
        a.ack(None, a.invite_cseq)
        got = a.wait('INVITE')
        self.assertEqual(got.body, b'')
        a.answer(got, body=sdp(4000, version=2))
        got = d.wait('INVITE')
        d.answer(got, body=sdp(8000, version=2))
        d.wait('ACK')
        a.wait('ACK')
        d.send('BYE')
        a.expect('BYE')
        self.no_calls()


if __name__ == '__main__':
    harness.main()
