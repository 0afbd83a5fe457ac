"""Whom a call rings, with SIPp as the phones: several contacts at once or by q, routes of calls.conf, redirections."""
import harness
from callserver import CallTest, endpoint_sections, endpoints
from harness import SLOW, TRANSPORTS, free_port
from sippcall import SDP, Callee, Caller, Running, play

ROUTES = f"""
[general]
ring_timeout = {int(SLOW)}

[abroad]
type = route
pattern = _900.
strip = 1
prefix = +
endpoint = carol, dave
timeout = {int(SLOW)}
continue_on = busy, no_answer, unreachable, 5xx

[desk]
type = route
pattern = 4711
endpoint = bob
"""


class Ringing(CallTest):
    pjsip = TRANSPORTS + endpoints('alice', 'bob', 'carol', 'dave') + \
        endpoint_sections('wide', 'redirect_method=uri_core')
    files = {**CallTest.files, 'calls.conf': ROUTES}

    def caller(self, to='bob'):
        """Other phones may ring, too."""
        return Caller('alice', to).dial().expect(180).expect(180, optional=True).expect(200).ack().pause(50).bye()

    @staticmethod
    def cancelled(user='bob'):
        return Callee(user).called().ring().receive('CANCEL').reply(200).refuse(487, name='invite')

    # ---- several contacts ----

    def test_two_phones_ring_and_the_one_that_does_not_answer_is_cancelled(self):
        play(self, self.caller(), Callee('bob').called().ring().pause(200).accept(name='invite').hung_up(),
             self.cancelled())

    def test_a_phone_that_answers_in_spite_of_its_cancel_is_acknowledged_and_hung_up(self):
        late = Callee('bob').called().ring().receive('CANCEL').reply(200).accept(name='invite').hung_up()
        play(self, self.caller(), Callee('bob').called().ring().pause(200).accept(name='invite').hung_up(), late)

    def test_two_answers_of_one_phone_are_a_fork_behind_it(self):
        """The second dialog gets its ACK and its BYE, the first one is the call's."""
        fork = Callee('bob').called().ring().accept(name='invite')
        fork.reply(200, body=SDP, name='invite', tag='fork', retransmit=True).receive('ACK', has=[('To', 'tag=fork')])
        fork.receive('BYE', has=[('To', 'tag=fork')]).reply(200).hung_up()
        play(self, Caller('alice', 'bob').answered().pause(500).bye(), fork)

    def test_the_higher_q_rings_first(self):
        play(self, self.caller(), (Callee('bob').answering().hung_up(), 0.2),
             (Callee('bob').called().ring().refuse(486), 0.9))

    def test_one_that_does_not_answer_gives_way_to_the_next(self):
        play(self, self.caller(), (Callee('bob').answering().hung_up(), 0.2), (self.cancelled(), 0.9))

    def test_a_refusal_everywhere_ends_the_search(self):
        """6xx: nobody else is asked."""
        other = Running(self, Callee('bob').answering())
        self.register('bob', other.port, 0.2)
        play(self, Caller('alice', 'bob').dial().expect(180).expect(603).ack_failure(),
             (Callee('bob').called().ring().refuse(603), 0.9))
        other.process.kill()
        other.process.wait()
        self.assertNotIn('INVITE', other.errors())

    def test_the_best_of_several_refusals_is_passed(self):
        play(self, Caller('alice', 'bob').dial().expect(180).expect(180, optional=True).expect(486).ack_failure(),
             Callee('bob').called().ring().pause(100).refuse(503, name='invite'),
             Callee('bob').called().ring().pause(200).refuse(486, name='invite'))

    def test_nobody_answers(self):
        play(self, Caller('alice', 'bob').dial().expect(180).expect(480, has=[('Reason', 'cause=19')]).ack_failure(),
             self.cancelled())

    # ---- routes ----

    def test_a_route_changes_the_number(self):
        play(self, self.caller('900123'),
             Callee('carol').called(has=[('msg', r'^INVITE sip:\+00123@')]).ring().accept().hung_up())

    def test_a_route_goes_on_when_the_first_is_busy(self):
        play(self, self.caller('900123'), Callee('carol').called().ring().refuse(486),
             Callee('dave').answering().hung_up())

    def test_a_route_goes_on_when_the_first_does_not_answer(self):
        play(self, self.caller('900123'), self.cancelled('carol'), Callee('dave').answering().hung_up())

    def test_a_route_goes_on_when_the_first_is_nowhere(self):
        play(self, self.caller('900123'), Callee('dave').answering().hung_up())

    def test_a_route_does_not_go_on_after_a_decline(self):
        play(self, Caller('alice', '900123').dial().expect(180).expect(603).ack_failure(),
             Callee('carol').called().ring().refuse(603))

    def test_a_number_that_no_route_takes(self):
        play(self, Caller('alice', '800123').dial().expect(404).ack_failure())

    def test_an_exact_pattern(self):
        play(self, self.caller('4711'), Callee('bob').answering().hung_up())

    # ---- redirections ----

    def forwarded(self, to='bob'):
        return Caller('alice', to).dial().expect(181).expect(180).expect(200).ack().pause(50).bye()

    def test_a_redirection_to_a_number(self):
        """It is dialed here, whatever host stands behind it."""
        play(self, self.forwarded(), Callee('bob').called().refuse(302, ['Contact: <sip:carol@elsewhere.example.com>']),
             Callee('carol').answering().hung_up())

    def test_a_redirection_to_a_place(self):
        """redirect_method=uri_core: the call goes where the URI says."""
        port = free_port()
        callee = Callee('x').called(has=[('msg', '^INVITE sip:moved@')]).ring().accept().hung_up()
        moved = Running(self, callee, port=port)
        play(self, self.forwarded('wide'),
             Callee('wide').called().refuse(302, [f'Contact: <sip:moved@127.0.0.1:{port}>']))
        moved.finish()

    def test_redirections_in_a_circle_end(self):
        to_bob, to_carol = (['Contact: <sip:%s@example.com>' % user] for user in ('bob', 'carol'))
        bob = Running(self, Callee('bob').called().refuse(302, to_carol), calls=2)
        carol = Running(self, Callee('carol').called().refuse(302, to_bob))
        self.register('bob', bob.port)
        self.register('carol', carol.port)
        play(self, Caller('alice', 'bob').dial().expect(181).expect(482).ack_failure())
        bob.finish()
        carol.finish()


class Passing(CallTest):
    """The caller gets the redirection itself."""
    files = {**CallTest.files, 'calls.conf': '[general]\nredirect = pass\n'}

    def test_a_redirection_is_passed(self):
        play(self, Caller('alice', 'bob').dial().expect(302, has=[('Contact', 'sip:moved@example.com')]).ack_failure(),
             Callee('bob').called().refuse(302, ['Contact: <sip:moved@example.com>']))


if __name__ == '__main__':
    harness.main()
