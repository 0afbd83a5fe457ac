"""Races by the scripted phone, where the order of single messages matters: what is lost, late, doubled or crossed."""
import socket

import harness
from legs import A_WHILE, ANSWER, OFFER, LegPhone, sdp, tag_of
from callserver import CallTest, endpoint_sections, endpoints
from harness import TRANSPORTS, wait_for

RELIABLE = ['Require: 100rel', 'RSeq: 1']


class Races(CallTest):
    pjsip = TRANSPORTS + endpoints('alice', 'bob', 'carol') + endpoint_sections('rel', '100rel=peer_supported')

    # ---- what is lost ----

    def test_a_lost_200_is_said_again(self):
        a, b = self.two()
        leg, other = self.ring(a, b)
        other.answer(200)
        ok = leg.expect(200)
        self.assertTrue(a.again(ok))
        self.assertTrue(a.again(ok))
        leg.ack(ok)
        other.expect('ACK')
        self.assertFalse(a.again(ok, 2.5), 'the 200 is said again behind its ACK')
        self.hang_up(leg, other)

    def test_a_lost_ack_is_said_again(self):
        """To the callee that says its 200 again; the caller hears nothing of it."""
        a, b = self.two()
        leg, other = self.ring(a, b)
        other.answer(200)
        leg.ack(leg.expect(200))
        ack = other.expect('ACK')
        other.answer(200)
        self.assertTrue(b.again(ack))
        leg.silent()
        self.hang_up(leg, other)

    def test_a_lost_prack_makes_the_answer_come_again(self):
        a, b = self.two('rel', 'bob')
        leg = a.call('bob', headers=['Supported: 100rel'])
        other = b.incoming()
        other.answer(183, headers=RELIABLE, body=ANSWER)
        other.reply(other.expect('PRACK'), 200)
        early = leg.expect(183)
        self.assertTrue(a.again(early))
        prack = leg.prack(early)
        self.assertEqual(leg.final(prack).status, 200)
        self.assertFalse(a.again(early, 2.5), 'the 183 is said again behind its PRACK')
        other.answer(200, body=b'')
        leg.ack(leg.expect(200))
        other.expect('ACK')
        self.hang_up(leg, other)

    def test_a_lost_answer_to_a_prack_makes_the_prack_come_again(self):
        a, b = self.two()
        leg = a.call('bob')
        other = b.incoming()
        other.answer(183, headers=RELIABLE, body=ANSWER)
        prack = other.expect('PRACK')
        self.assertTrue(b.again(prack))
        other.reply(prack, 200)
        leg.expect(183)
        other.answer(200, body=b'')
        leg.ack(leg.expect(200))
        other.expect('ACK')
        self.hang_up(leg, other)

    def test_a_reliable_answer_that_is_said_again_is_passed_once(self):
        a, b = self.two()
        leg = a.call('bob')
        other = b.incoming()
        other.answer(183, headers=RELIABLE, body=ANSWER)
        prack = other.expect('PRACK')
        other.answer(183, headers=RELIABLE, body=ANSWER)
        leg.expect(183)
        leg.silent()
        other.reply(prack, 200)
        other.answer(200, body=b'')
        leg.ack(leg.expect(200))
        other.expect('ACK')
        self.hang_up(leg, other)

    def test_an_invite_that_is_said_again_rings_once(self):
        a, b = self.two()
        leg, other = self.ring(a, b)
        a.send(leg.invite.data)
        self.assertIsNone(b.incoming(0.3))
        other.answer(486)
        leg.ack(leg.expect(486))
        other.expect('ACK')

    # ---- CANCEL against 200 ----

    def test_cancel_and_answer_at_the_same_moment(self):
        """Whoever wins: the caller gets one final answer, and both legs end."""
        a, b = self.two()
        for _ in range(10):
            leg, other = self.ring(a, b)
            other.answer(200)
            cancel = leg.cancel()
            self.assertEqual(leg.final(cancel).status, 200)
            answer = leg.final(leg.invite)
            self.assertIn(answer.status, (200, 487))
            leg.ack(answer)
            if answer.status == 200:
                leg.learn(answer)
                other.expect('ACK')
                self.hang_up(leg, other)
            else:
                self.assertEqual(set(self.told(other)) - {'CANCEL'}, {'ACK', 'BYE'})
                leg.silent(0.05)

    # ---- two answers ----

    def test_two_phones_answer_at_the_same_moment(self):
        """One of them talks; the other gets its ACK and its BYE."""
        a, b, c = self.phone('alice', False), self.phone('bob'), self.phone('bob')
        for _ in range(5):
            leg = a.call('bob')
            first, second = b.incoming(), c.incoming()
            for status in (180, 200):
                first.answer(status)
                second.answer(status)
            ok = leg.final(leg.invite)
            self.assertEqual(ok.status, 200)
            leg.learn(ok)
            leg.ack(ok)
            told = {other: self.told(other) for other in (first, second)}
            loser, winner = sorted(told, key=lambda other: 'BYE' not in told[other])
            self.assertEqual(set(told[loser]) - {'CANCEL'}, {'ACK', 'BYE'})
            self.assertEqual(told[winner], ['ACK'])
            self.hang_up(leg, winner)

    def told(self, leg):
        """What a phone that has answered is told until its BYE, or until no more comes; all of it is answered."""
        told = []
        while 'BYE' not in told:
            message = leg.phone.next(lambda m: m.method and m.get('Call-ID') == leg.call_id, A_WHILE)
            if not message:
                break
            told.append(message.method)
            if message.method != 'ACK':
                leg.reply(message, 200)
        return told

    def test_a_fork_behind_a_contact(self):
        """One INVITE is answered by two: the second dialog gets its ACK and its BYE, by its own tag."""
        a, b = self.two()
        leg, other = self.connect(a, b)
        other.answer(200, tag='fork')
        self.assertEqual(tag_of(other.expect('ACK').get('To')), 'fork')
        bye = other.expect('BYE')
        self.assertEqual(tag_of(bye.get('To')), 'fork')
        other.reply(bye, 200)
        leg.silent()
        self.hang_up(leg, other)

    # ---- re-INVITEs ----

    def test_reinvites_cross(self):
        """Both sides ask at the same moment: at least one is told 491, and both may ask again."""
        a, b = self.two()
        leg, other = self.connect(a, b)
        mine = leg.send_invite(sdp(version=2))
        theirs = other.send_invite(sdp(port=50000, version=2))
        answers = {}
        for here, there, request in ((leg, other, mine), (other, leg, theirs)):
            # A re-INVITE that came through is told 491 by the peer, which has one open itself.
            passed = there.phone.next(lambda m: m.method == 'INVITE' and m.get('Call-ID') == there.call_id, A_WHILE)
            if passed:
                there.reply(passed, 491)
            answers[here] = here.final(request)
            here.ack(answers[here], invite=request)
        self.assertEqual({m.status for m in answers.values()}, {491})
        for phone in (a, b):
            phone.next(lambda m: m.method == 'ACK', A_WHILE)  # of the 491, if there was a re-INVITE to refuse
        self.reinvite(leg, other)
        self.reinvite(other, leg)
        self.hang_up(leg, other)

    def reinvite(self, here, there, body=None):
        body = body or sdp(direction='sendonly', version=3)
        request = here.send_invite(body)
        passed = there.expect('INVITE')
        self.assertEqual(passed.body, body)
        there.reply(passed, 200, body=ANSWER)
        ok = here.final(request)
        self.assertEqual((ok.status, ok.body), (200, ANSWER))
        here.ack(ok, invite=request)
        there.expect('ACK')

    def test_a_lost_200_of_a_reinvite_is_said_again(self):
        a, b = self.two()
        leg, other = self.connect(a, b)
        request = leg.send_invite(OFFER)
        other.reply(other.expect('INVITE'), 200, body=ANSWER)
        ok = leg.final(request)
        self.assertTrue(a.again(ok))
        leg.ack(ok)
        other.expect('ACK')
        self.hang_up(leg, other)

    def test_bye_from_both_sides(self):
        a, b = self.two()
        for _ in range(3):
            leg, other = self.connect(a, b)
            mine, theirs = leg.send('BYE'), other.send('BYE')
            for here, request in ((leg, mine), (other, theirs)):
                # The server's own BYE may be there as well.
                crossed = here.phone.next(lambda m: m.method == 'BYE' and m.get('Call-ID') == here.call_id, A_WHILE)
                if crossed:
                    here.reply(crossed, 200)
                self.assertIn(here.final(request).status, (200, 481))

    def test_bye_before_the_ack(self):
        """The caller hangs up without having acknowledged: it does not matter, nor does the late ACK."""
        a, b = self.two()
        leg, other = self.ring(a, b)
        other.answer(200)
        ok = leg.expect(200)
        bye = leg.send('BYE')
        self.assertEqual(leg.final(bye).status, 200)
        leg.ack(ok)
        seen = [other.expect('ACK', 'BYE') for _ in range(2)]
        self.assertEqual({m.method for m in seen}, {'ACK', 'BYE'})
        other.reply(next(m for m in seen if m.method == 'BYE'), 200)

    def test_bye_of_a_caller_that_was_not_answered(self):
        """RFC 3261 section 15: a caller may end an early dialog so; its INVITE is answered 487."""
        a, b = self.two()
        leg, other = self.ring(a, b)
        bye = leg.send('BYE')
        self.assertEqual(leg.final(bye).status, 200)
        answer = leg.final(leg.invite)
        self.assertEqual(answer.status, 487)
        leg.ack(answer)
        other.reply(other.expect('CANCEL'), 200)
        other.answer(487)
        other.expect('ACK')

    def test_bye_while_a_request_is_under_way(self):
        a, b = self.two()
        leg, other = self.connect(a, b)
        info = leg.send('INFO', ['Content-Type: text/plain'], b'x')
        other.expect('INFO')
        other.bye()
        self.assertIn(leg.final(info).status, (481, 487, 500))
        leg.hung_up()

    # ---- transfers ----

    def test_the_referrer_is_hung_up_behind_its_last_notification(self):
        """However late the answer to the one before comes."""
        a, b = self.two()
        c = self.phone('carol')
        leg, other = self.connect(a, b)
        self.assertEqual(leg.ask('REFER', ['Refer-To: <sip:carol@127.0.0.1>']).status, 202)
        first = leg.expect('NOTIFY')
        third = c.incoming()
        third.answer(200)
        other.reply(other.expect('INVITE'), 200, body=OFFER)
        other.expect('ACK')
        self.assertEqual(third.expect('ACK').body, OFFER)
        last = leg.expect('NOTIFY')
        self.assertIn(b'200', last.body)
        leg.reply(first, 200)
        leg.silent()
        leg.reply(last, 200)
        leg.hung_up()
        self.hang_up(other, third)

    # ---- a caller on TCP whose connection goes ----

    def test_a_caller_comes_back_on_another_connection(self):
        a, b = self.phone('alice', registered=False, transport='tcp'), self.phone('bob')
        leg, other = self.connect(a, b)
        again = self.phone('alice', registered=False, transport='tcp')
        a.sock, again.sock = again.sock, a.sock
        a.address, again.address = again.address, a.address
        again.close()
        self.hang_up(leg, other)


class Slow(CallTest):
    """What takes the RFC's 32 seconds, all at the same time, and at the same time as the other tests."""
    pjsip = TRANSPORTS + endpoints('alice', 'bob', 'carol', 'dave', 'erin', 'frank') + \
        endpoint_sections('rel', '100rel=peer_supported')

    @classmethod
    def setUpClass(cls):
        """setUpModule has done it."""

    @classmethod
    def begin(cls):
        super().setUpClass()
        cls.begun = cls('test_whoever_stays_away')
        cls.begun.start()

    def start(self):
        # The 2xx is never acknowledged.
        a, b = self.two('alice', 'bob')
        self.unheard = self.ring(a, b)
        self.unheard[1].answer(200)
        self.unheard[0].expect(200)
        # A reliable answer is never acknowledged.
        a, b = self.two('rel', 'carol')
        leg = a.call('carol', headers=['Supported: 100rel'])
        other = b.incoming()
        other.answer(183, body=ANSWER)
        leg.expect(183)
        self.unpracked = leg, other
        # A BYE is never answered.
        a, b = self.two('dave', 'erin')
        leg, self.deaf = self.connect(a, b)
        bye = leg.send('BYE')
        self.deaf.expect('BYE')
        self.assertEqual(leg.final(bye).status, 200)
        # A phone went away without a word.
        with LegPhone(self.server, 'frank') as gone:
            gone.register(expires=600)
            self.silent_port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            address = gone.address
        self.silent_port.bind(address)
        self.addCleanup(self.silent_port.close)
        self.unreached = self.phone('alice', False).call('frank')

    def test_whoever_stays_away(self):
        """Each leg ends by its timers and takes the other along."""
        begun = self.begun
        self.addCleanup(begun.doCleanups)
        leg, other = begun.unheard
        other.expect('ACK', seconds=40)
        other.hung_up()
        leg.expect('BYE')
        leg, other = begun.unpracked
        answer = leg.final(leg.invite, 40)
        self.assertEqual(answer.status, 504)
        leg.ack(answer)
        other.reply(other.expect('CANCEL'), 200)
        other.answer(487)
        answer = begun.unreached.final(begun.unreached.invite, 40)
        self.assertEqual(answer.status, 408)
        self.assertIn('Q.850;cause=18', answer.get('Reason'))
        begun.unreached.ack(answer)
        self.assertTrue(wait_for(lambda: not self.server.cli('calls', 'show', as_json=True), 40))


def setUpModule():
    Slow.begin()


if __name__ == '__main__':
    harness.main()
