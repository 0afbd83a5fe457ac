"""Races and bad orders with SIPp on both sides: what crosses, what is late, what is lost, and what comes out of order.
Both legs always end, and each side is told what its RFC says."""
import harness
from callserver import CallTest, endpoints
from harness import TRANSPORTS
from sippcall import SDP, Callee, Caller, play


class Races(CallTest):
    pjsip = TRANSPORTS + endpoints('alice', 'bob')

    # ---- CANCEL against 200 ----

    def test_an_answer_that_crosses_the_cancel(self):
        """The caller is out; the phone that answered is acknowledged and hung up."""
        play(self, Caller('alice', 'bob').dial().expect(180).cancel().expect(200).expect(487).ack_failure(),
             Callee('bob').called().ring().receive('CANCEL').reply(200).accept(name='invite').hung_up())

    def test_a_cancel_that_comes_behind_the_answer(self):
        """It changes nothing: the caller acknowledges and hangs up."""
        caller = Caller('alice', 'bob').dial().expect(180).expect(200)
        play(self, caller.cancel().expect(200).ack().pause(100).bye(), Callee('bob').answering().hung_up())

    # ---- re-INVITEs ----

    def test_a_bye_against_a_reinvite(self):
        """The called side hangs up instead of answering: the re-INVITE ends with the call."""
        caller = Caller('alice', 'bob').answered().request('INVITE', body=SDP).expect(100, optional=True)
        play(self, caller.expect(487).ack_failure().hung_up(),
             Callee('bob').answering().receive('INVITE', name='again').bye().refuse(487, name='again'))

    def test_a_bye_behind_a_reinvite_of_the_same_side(self):
        caller = Caller('alice', 'bob').answered().request('INVITE', body=SDP).expect(100).pause(100)
        play(self, caller.bye().expect(487).ack_failure(),
             Callee('bob').answering().receive('INVITE', name='again').hung_up().refuse(487, name='again'))

    def test_two_reinvites_cross(self):
        """The second one gets 491 and the first goes its way."""
        callee = Callee('bob').answering().receive('INVITE', name='again')
        callee.request('INVITE', body=SDP).expect(100, optional=True).expect(491).ack_failure()
        play(self, Caller('alice', 'bob').answered().reinvite().pause(50).bye(),
             callee.reply(200, body=SDP, name='again', retransmit=True).receive('ACK').hung_up())

    # ---- lost on the way ----

    def test_answers_whose_acks_come_late(self):
        """For the server the 200 or the ACK was lost: it says it again until the ACK is there."""
        play(self, Caller('alice', 'bob').dial().expect(180).expect(200).pause(1200).ack().pause(100).bye(),
             Callee('bob').answering().hung_up())

    def test_a_prack_that_comes_late(self):
        callee = Callee('bob').called().reply(183, ['Require: 100rel', 'RSeq: 1'], SDP, retransmit=True)
        play(self, Caller('alice', 'bob').dial().expect(183).expect(200).ack().bye(),
             callee.receive('PRACK').pause(700).reply(200).pause(50).accept(name='invite').hung_up())

    def test_a_bye_whose_answer_is_late(self):
        play(self, Caller('alice', 'bob').answered().bye(),
             Callee('bob').answering().receive('BYE').pause(700).reply(200))

    # ---- bad orders ----

    def test_requests_behind_the_end(self):
        play(self, Caller('alice', 'bob').answered().bye().request('INFO').expect(481).request('BYE').expect(481),
             Callee('bob').answering().hung_up())

    def test_a_cancel_behind_the_end(self):
        caller = Caller('alice', 'nobody').dial().expect(404).ack_failure()
        caller.invite = (99, 1)  # a transaction that never was
        play(self, caller.cancel().expect(481))

    def test_a_merged_request(self):
        caller = Caller('alice', 'bob').dial().expect(180)
        first = caller.invite
        caller.dial(cseq=1).expect(482).ack_failure()
        caller.invite = first
        play(self, caller.cancel().expect(200).expect(487).ack_failure(),
             Callee('bob').called().ring().receive('CANCEL').reply(200).refuse(487, name='invite'))

    def test_a_cseq_that_goes_backwards(self):
        caller = Caller('alice', 'bob').dial(cseq=10).expect(180).expect(200).ack()
        play(self, caller.request('INFO', cseq=5).expect(500).request('INFO').expect(200).bye(),
             Callee('bob').answering().receive('INFO').reply(200).hung_up())

    def test_an_extension_that_nobody_knows(self):
        play(self, Caller('alice', 'bob').dial(['Require: x-future']).expect(420, has=[('Unsupported', 'x-future')])
             .ack_failure())

    def test_a_prack_of_nothing(self):
        caller = Caller('alice', 'bob').dial().expect(180)
        caller.request('PRACK', ['RAck: 4711 1 INVITE']).expect(481).expect(200)
        caller.invite = (1, 1)
        play(self, caller.ack().bye(), Callee('bob').called().ring().pause(400).accept(name='invite').hung_up())


if __name__ == '__main__':
    harness.main()
