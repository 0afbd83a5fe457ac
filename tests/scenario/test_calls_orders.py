"""What comes in a bad order or where it does not belong, by the scripted phone: 481, 482, 483, 487, 491, 500 and what
is left of the call then."""
import harness
from legs import ANSWER, OFFER, Leg, sdp
from callserver import CallTest, endpoint_sections, endpoints
from harness import TRANSPORTS, phone_sections

UPDATES = ['Allow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE, INFO']


class Orders(CallTest):
    pjsip = TRANSPORTS + endpoints('alice', 'bob', 'carol') + endpoint_sections('rel', '100rel=peer_supported') + \
        endpoint_sections('single', 'device_state_busy_at=1') + phone_sections('locked')

    def gone(self, phone):
        """A leg of a call that does not exist."""
        return Leg(phone, 'no-such-call', '<sip:alice@127.0.0.1>', 'mine', '<sip:bob@127.0.0.1>;tag=theirs',
                   'sip:bob@127.0.0.1', 1)

    def test_requests_of_unknown_calls(self):
        leg = self.gone(self.phone('alice', False))
        for method in ('BYE', 'INFO', 'UPDATE', 'PRACK', 'REFER', 'INVITE', 'NOTIFY'):
            request = leg.send(method)
            answer = leg.final(request)
            self.assertEqual(answer.status, 481, method)
            if method == 'INVITE':
                leg.ack(answer, invite=request)

    def test_an_ack_of_an_unknown_call_is_dropped(self):
        phone = self.phone('alice', False)
        leg = self.gone(phone)
        leg.invite = harness.Message(phone.request('INVITE', leg.target))
        leg.ack()
        leg.silent()

    def test_a_foreign_tag_does_not_reach_a_call(self):
        """The Call-ID alone is no key to a call."""
        a, b = self.two()
        leg, other = self.connect(a, b)
        stranger = Leg(a, leg.call_id, leg.local, 'guess', leg.remote, leg.target, 10)
        self.assertEqual(stranger.ask('BYE').status, 481)
        stranger = Leg(a, leg.call_id, leg.local, leg.local_tag, leg.remote[:-1] + 'x', leg.target, 10)
        self.assertEqual(stranger.ask('BYE').status, 481)
        other.silent()
        self.hang_up(leg, other)

    def test_a_cancel_of_nothing(self):
        phone = self.phone('alice', False)
        leg = Leg(phone, 'never', '<sip:alice@127.0.0.1>', 'mine', '<sip:bob@127.0.0.1>', 'sip:bob@127.0.0.1', 1)
        leg.invite = harness.Message(phone.request('INVITE', leg.target, call_id='never', cseq=1))
        self.assertEqual(leg.final(leg.cancel()).status, 481)

    def test_a_merged_request(self):
        """The same request by another way (another branch)."""
        a, b = self.two()
        leg, other = self.ring(a, b)
        merged = a.request('INVITE', leg.invite.start.split()[1], [f'Contact: {a.contact}'], sender=leg.local,
                           to=leg.invite.get('To'), call_id=leg.call_id, cseq=1, from_tag=leg.local_tag)
        a.send(merged)
        answer = leg.expect(482)
        leg.ack(answer, invite=harness.Message(merged))
        self.assertIsNone(b.incoming(0.2))
        other.answer(486)
        leg.ack(leg.expect(486))
        other.expect('ACK')

    def test_too_many_hops(self):
        a, b = self.two()
        leg = a.call('bob')
        other = b.incoming()
        other.answer(603)
        leg.ack(leg.expect(603))
        other.expect('ACK')
        data = a.request('INVITE', 'sip:bob@127.0.0.1', [f'Contact: {a.contact}'], b'', call_id='far', from_tag='x')
        a.send(data.replace(b'Max-Forwards: 70', b'Max-Forwards: 0'))
        answer = a.next(lambda m: m.get('Call-ID') == 'far' and (m.status or 0) >= 200)
        self.assertEqual(answer.status, 483)
        self.assertIsNone(b.incoming(0.2))

    def test_a_cseq_that_goes_backwards(self):
        a, b = self.two()
        leg, other = self.connect(a, b, cseq=100)
        for method in ('INFO', 'BYE', 'UPDATE', 'INVITE'):
            request = leg.send(method, cseq=50) if method != 'INVITE' else leg.send_invite(cseq=50)
            answer = leg.final(request)
            self.assertEqual(answer.status, 500, method)
            if method == 'INVITE':
                leg.ack(answer, invite=request)
        other.silent()
        leg.cseq = 100
        self.hang_up(leg, other)

    def test_a_cseq_that_leaps_is_fine(self):
        a, b = self.two()
        leg, other = self.connect(a, b)
        leg.cseq = 5000
        self.hang_up(leg, other)

    def test_a_second_reinvite_while_the_first_is_open(self):
        """RFC 3261 section 14.2: 500 with Retry-After."""
        a, b = self.two()
        leg, other = self.connect(a, b)
        first = leg.send_invite(OFFER)
        passed = other.expect('INVITE')
        second = leg.send_invite(sdp(version=3))
        answer = leg.final(second)
        self.assertEqual(answer.status, 500)
        self.assertLessEqual(int(answer.get('Retry-After').split()[0]), 10)
        leg.ack(answer, invite=second)
        other.reply(passed, 200, body=ANSWER)
        ok = leg.final(first)
        self.assertEqual(ok.status, 200)
        leg.ack(ok, invite=first)
        other.expect('ACK')
        self.hang_up(leg, other)

    def test_an_offer_against_an_open_offer(self):
        """The called side asks while the caller's re-INVITE waits there: 491, for an UPDATE as well."""
        a, b = self.two()
        leg, other = self.connect(a, b, headers=UPDATES)
        first = leg.send_invite(OFFER, UPDATES)
        passed = other.expect('INVITE')
        mine = other.send_invite(sdp(port=50000))
        answer = other.final(mine)
        self.assertEqual(answer.status, 491)
        other.ack(answer, invite=mine)
        self.assertEqual(other.ask('UPDATE', UPDATES, sdp(port=50000)).status, 491)
        leg.silent()
        other.reply(passed, 200, body=ANSWER)
        ok = leg.final(first)
        leg.ack(ok, invite=first)
        other.expect('ACK')
        self.hang_up(leg, other)

    def test_a_prack_that_acknowledges_nothing(self):
        a, b = self.two('rel', 'bob')
        leg = a.call('bob', headers=['Supported: 100rel'])
        other = b.incoming()
        other.answer(183, body=ANSWER)
        early = leg.expect(183)
        wrong = harness.Message(early.data.replace(f'RSeq: {early.get("RSeq")}'.encode(), b'RSeq: 999999'))
        self.assertEqual(leg.final(leg.prack(wrong)).status, 481)
        self.assertEqual(leg.final(leg.prack(early)).status, 200)
        self.assertEqual(leg.final(leg.prack(early)).status, 481)
        other.answer(486)
        leg.ack(leg.expect(486))
        other.expect('ACK')

    def test_an_invite_without_a_contact(self):
        phone = self.phone('alice', False)
        answer = phone.ask('INVITE', 'sip:bob@127.0.0.1')
        self.assertEqual(answer.status, 400)

    def test_a_stranger_is_challenged_and_an_ack_never(self):
        """Nothing of a call from somebody who did not show a password reaches a phone."""
        a, b = self.phone('locked', False), self.phone('bob')
        leg = a.call('bob')
        answer = leg.expect(401)
        leg.ack(answer)
        leg.silent()
        self.assertIsNone(b.incoming(0.2))

    def test_a_call_with_a_password(self):
        """The ACK and what else comes from the address that was verified is not challenged again."""
        a, b = self.phone('locked', False), self.phone('bob')
        leg, other = self.connect(a, b, authenticate=True)
        self.hang_up(leg, other)

    def test_inside_a_call_another_address_must_show_the_password(self):
        a, b = self.phone('locked', False), self.phone('bob')
        leg, other = self.connect(a, b, authenticate=True)
        thief = self.phone('locked', False)
        stolen = Leg(thief, leg.call_id, leg.local, leg.local_tag, leg.remote, leg.target, leg.cseq)
        self.assertEqual(stolen.ask('BYE').status, 401)
        other.silent()
        self.hang_up(leg, other)

    def test_more_calls_than_an_endpoint_takes(self):
        """device_state_busy_at: the next one finds it busy."""
        a, b = self.two('alice', 'single')
        leg, other = self.connect(a, b)
        c = self.phone('carol', False)
        second = c.call('single')
        answer = second.final(second.invite)
        self.assertEqual(answer.status, 486)
        second.ack(answer)
        self.assertIsNone(b.incoming(0.2))
        self.hang_up(leg, other)
        leg, other = self.connect(a, b)
        self.hang_up(leg, other)


if __name__ == '__main__':
    harness.main()
