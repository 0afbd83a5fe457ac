"""What is said inside a call, with SIPp on both sides: early media, offers and answers of every kind, hold, INFO,
MESSAGE, transfers, session timers. Bodies reach the other side as they were."""
import urllib.parse

import harness
from callserver import CallTest, endpoint_sections, endpoints
from harness import TRANSPORTS
from legs import LegPhone, tag_of
from sippcall import SDP, Callee, Caller, Running, play

RELIABLE = ['Require: 100rel', 'RSeq: 7']
DTMF = ['Content-Type: application/dtmf-relay']
TEXT = ['Content-Type: text/plain']
HELD = [('body', 'a=sendonly')]


def with_line(line):
    return f'{SDP}\n{line}'


class Media(CallTest):
    pjsip = TRANSPORTS + endpoints('alice', 'bob', 'carol') + \
        endpoint_sections('rel', '100rel=peer_supported') + \
        endpoint_sections('needs', '100rel=required') + \
        endpoint_sections('never', '100rel=no\ntimers=no\nallow_transfer=no') + \
        endpoint_sections('always', 'timers=always\ntimers_sess_expires=600\ntimers_min_se=120')

    # ---- before the answer ----

    @staticmethod
    def early(body=SDP, headers=(), prack=(), **kw):
        """A callee whose first answer is a reliable provisional one."""
        callee = Callee('bob').called(**kw).reply(183, [*RELIABLE, *headers], body, retransmit=True)
        return callee.receive('PRACK', has=[('RAck', '^ *7 [0-9]+ INVITE'), *prack]).reply(200)

    def test_early_media(self):
        caller = Caller('alice', 'bob').dial().expect(183, has=[('body', 'a=x-early')], lacks=['RSeq'])
        callee = Callee('bob').called().ring(183, body=with_line('a=x-early')).pause(100)
        play(self, caller.expect(200).ack().bye(), callee.accept(name='invite').hung_up())

    def test_reliable_early_media(self):
        """Each side has its own RSeq; what one acknowledges does not wait for the other."""
        caller = Caller('rel', 'bob').dial(['Supported: 100rel'])
        caller.expect(183, has=[('body', 'a=x-early'), ('RSeq', '[0-9]+'), ('Require', '100rel')]).prack()
        callee = self.early(with_line('a=x-early'), has=[('Supported', '100rel')]).pause(200)
        play(self, caller.expect(200).ack().bye(), callee.accept(name='invite').hung_up())

    def test_reliable_on_one_side_only(self):
        caller = Caller('alice', 'bob').dial().expect(183, lacks=['RSeq', 'Require'])
        play(self, caller.expect(200).ack().bye(), self.early().pause(50).accept(name='invite').hung_up())

    def test_an_offer_in_a_provisional_answer_is_answered_in_the_prack(self):
        caller = Caller('rel', 'bob').dial(['Require: 100rel'], body='')
        caller.expect(183, has=[('body', 'a=x-offer'), ('RSeq', '[0-9]+')]).prack(with_line('a=x-answer'))
        callee = self.early(with_line('a=x-offer'), lacks=['Content-Type'], prack=[('body', 'a=x-answer')]).pause(50)
        play(self, caller.expect(200).ack().bye(), callee.accept(name='invite', body='').hung_up())

    def test_an_update_before_the_answer(self):
        caller = Caller('rel', 'bob').dial(['Supported: 100rel']).expect(183, has=[('RSeq', '[0-9]+')]).prack()
        caller.request('UPDATE', body=with_line('a=x-second')).expect(200, has=[('body', 'a=x-answer')])
        callee = self.early(headers=['Allow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE'])
        callee.receive('UPDATE', has=[('body', 'a=x-second')]).reply(200, body=with_line('a=x-answer')).pause(100)
        play(self, caller.expect(200).ack().bye(), callee.accept(name='invite', body='').hung_up())

    def test_reliability_that_is_asked_of_an_endpoint_without_it(self):
        caller = Caller('never', 'bob').dial(['Require: 100rel']).expect(420, has=[('Unsupported', '100rel')])
        play(self, caller.ack_failure())

    def test_reliability_that_an_endpoint_must_have(self):
        play(self, Caller('needs', 'bob').dial().expect(421, has=[('Require', '100rel')]).ack_failure())

    # ---- offers and answers ----

    def test_an_offer_in_the_answer(self):
        callee = Callee('bob').called(lacks=['Content-Type']).ring()
        callee.reply(200, body=with_line('a=x-offer'), retransmit=True).receive('ACK', has=[('body', 'a=x-answer')])
        play(self, Caller('alice', 'bob').dial(body='').expect(180).expect(200, has=[('body', 'a=x-offer')])
             .ack(with_line('a=x-answer')).pause(50).bye(), callee.hung_up())

    def test_a_body_of_several_parts(self):
        body = f'--x\nContent-Type: application/sdp\n\n{SDP}\n--x\nContent-Type: text/plain\n\nhello\n--x--'
        play(self, Caller('alice', 'bob').answered(['Content-Type: multipart/mixed;boundary=x'], body).bye(),
             Callee('bob').answering([('body', 'hello'), ('Content-Type', 'multipart/mixed;boundary=x')]).hung_up())

    # ---- in the call ----

    def test_hold_and_resume_by_the_caller(self):
        caller = Caller('alice', 'bob').answered().reinvite(with_line('a=sendonly')).reinvite(with_line('a=sendrecv'))
        callee = Callee('bob').answering().reinvited(with_line('a=recvonly'), HELD)
        callee.reinvited(with_line('a=sendrecv'), [('body', 'a=sendrecv')])
        play(self, caller.bye(), callee.hung_up())

    def test_hold_and_resume_by_the_callee(self):
        play(self, Caller('alice', 'bob').answered().reinvited(with_line('a=recvonly'), HELD).reinvited().bye(),
             Callee('bob').answering().reinvite(with_line('a=sendonly')).reinvite().hung_up())

    def test_a_reinvite_that_is_refused_leaves_the_call(self):
        play(self, Caller('alice', 'bob').answered().reinvite(status=488).request('INFO').expect(200).bye(),
             Callee('bob').answering().receive('INVITE').reply(488, retransmit=True).receive('ACK')
             .receive('INFO').reply(200).hung_up())

    def test_a_reinvite_without_an_offer(self):
        play(self, Caller('alice', 'bob').answered().request('INVITE').expect(100, optional=True)
             .expect(200, has=[('body', 'a=x-offer')]).ack(with_line('a=x-answer')).pause(50).bye(),
             Callee('bob').answering().receive('INVITE').reply(200, body=with_line('a=x-offer'), retransmit=True)
             .receive('ACK', has=[('body', 'a=x-answer')]).hung_up())

    def test_info_both_ways(self):
        play(self, Caller('alice', 'bob').answered().request('INFO', DTMF, 'Signal=5\nDuration=160').expect(200)
             .receive('INFO', has=[('body', 'Signal=6'), ('Content-Type', 'application/dtmf-relay')]).reply(200).bye(),
             Callee('bob').answering().receive('INFO', has=[('body', 'Signal=5')]).reply(200)
             .request('INFO', DTMF, 'Signal=6\nDuration=160').expect(200).hung_up())

    def test_message_both_ways(self):
        play(self, Caller('alice', 'bob').answered().request('MESSAGE', TEXT, 'are you there').expect(200)
             .receive('MESSAGE', has=[('body', 'I am')]).reply(200).bye(),
             Callee('bob').answering().receive('MESSAGE', has=[('body', 'are you there')]).reply(200)
             .request('MESSAGE', TEXT, 'I am').expect(200).hung_up())

    def test_update_both_ways(self):
        allow = ['Allow: INVITE, ACK, BYE, CANCEL, UPDATE']
        play(self, Caller('alice', 'bob').answered(allow).request('UPDATE', allow, with_line('a=sendonly'))
             .expect(200, has=[('body', 'a=recvonly')])
             .receive('UPDATE', has=[('body', 'a=inactive')]).reply(200, body=with_line('a=inactive')).bye(),
             Callee('bob').answering(headers=allow).receive('UPDATE', has=HELD).reply(200, body=with_line('a=recvonly'))
             .request('UPDATE', allow, with_line('a=inactive')).expect(200, has=[('body', 'a=inactive')]).hung_up())

    def test_what_is_refused_inside_is_refused_with_the_same_code(self):
        play(self, Caller('alice', 'bob').answered().request('INFO', DTMF, 'Signal=5').expect(415).bye(),
             Callee('bob').answering().receive('INFO').reply(415, ['Accept: text/plain']).hung_up())

    def test_the_reason_of_the_end_is_passed(self):
        reason = 'Reason: Q.850;cause=16;text="Normal call clearing"'
        play(self, Caller('alice', 'bob').answered().bye([reason]),
             Callee('bob').answering().hung_up([('Reason', 'Q.850;cause=16')]))

    # ---- transfers ----

    def test_a_blind_transfer(self):
        """The transferor hears how it goes and is hung up then; the others talk on."""
        caller = Caller('alice', 'bob').answered()
        caller.request('REFER', ['Refer-To: <sip:carol@127.0.0.1>', 'Referred-By: <sip:alice@127.0.0.1>']).expect(202)
        for status in (100, 180, 200):
            caller.receive('NOTIFY', has=[('Event', 'refer'), ('body', f'SIP/2.0 {status}')]).reply(200)
        play(self, caller.hung_up(), Callee('bob').answering().reinvited().pause(50).bye(),
             Callee('carol').called(has=[('Referred-By', 'sip:alice@')], lacks=['Content-Type']).ring()
             .accept(name='invite').hung_up())

    def test_an_attended_transfer(self):
        """Replaces in the Refer-To; whoever is left of both calls is joined by re-INVITEs."""
        a = LegPhone(self.server, 'alice')
        self.addCleanup(a.close)
        peers = [Running(self, Callee('bob').answering().reinvited().pause(200).bye()),
                 Running(self, Callee('carol').answering().reinvited().hung_up())]
        legs = []
        for user, peer in zip(('bob', 'carol'), peers):
            self.register(user, peer.port)
            legs.append(a.call(user))
            legs[-1].expect(180)
            legs[-1].ack(legs[-1].expect(200))
        first, second = legs
        replaces = f'{second.call_id};to-tag={tag_of(second.remote)};from-tag={second.local_tag}'
        refer_to = f'Refer-To: <sip:carol@127.0.0.1?Replaces={urllib.parse.quote(replaces, safe="")}>'
        self.assertEqual(first.ask('REFER', [refer_to]).status, 202)
        said = []
        while '200' not in said:
            notify = first.expect('NOTIFY')
            said.append(notify.body.decode().split()[1])
            first.reply(notify, 200)
        first.hung_up()
        second.hung_up()
        for peer in peers:
            peer.finish()

    def test_a_transfer_to_nobody_leaves_the_call(self):
        caller = Caller('alice', 'bob').answered()
        caller.request('REFER', ['Refer-To: <sip:nobody@127.0.0.1>']).expect(202)
        for status in (100, 404):
            caller.receive('NOTIFY', has=[('body', f'SIP/2.0 {status}')]).reply(200)
        play(self, caller.bye(), Callee('bob').answering().hung_up())

    def test_a_transfer_that_is_not_allowed(self):
        caller = Caller('never', 'bob').answered().request('REFER', ['Refer-To: <sip:alice@127.0.0.1>']).expect(603)
        play(self, caller.bye(), Callee('bob').answering().hung_up())

    # ---- session timers ----

    def test_a_session_timer_is_agreed_on(self):
        play(self, Caller('alice', 'bob').answered(['Supported: timer', 'Session-Expires: 300'],
                                                   has=[('Session-Expires', '300;refresher=u')]).bye(),
             Callee('bob').answering().hung_up())

    def test_a_session_timer_is_refused_when_it_is_too_short(self):
        play(self, Caller('always', 'bob').dial(['Supported: timer', 'Session-Expires: 90', 'Min-SE: 90'])
             .expect(422, has=[('Min-SE', '120')]).ack_failure())

    def test_a_callee_is_asked_for_a_session_timer(self):
        play(self, Caller('alice', 'always').answered().bye(),
             Callee('always').answering(has=[('Session-Expires', '600'), ('Min-SE', '120'), ('Supported', 'timer')],
                                        headers=['Require: timer', 'Session-Expires: 600;refresher=uac']).hung_up())

    def test_a_callee_that_wants_it_longer_is_asked_again(self):
        callee = Callee('always').called().refuse(422, ['Min-SE: 900'])
        callee.called(has=[('Session-Expires', '900'), ('Min-SE', '900')]).ring().accept(
            ['Require: timer', 'Session-Expires: 900;refresher=uac']).hung_up()
        play(self, Caller('alice', 'always').answered().bye(), callee)

    def test_an_endpoint_without_session_timers(self):
        timer = ['Supported: timer', 'Session-Expires: 300']
        play(self, Caller('never', 'bob').answered(timer, lacks=['Session-Expires']).bye(),
             Callee('bob').answering().hung_up())


if __name__ == '__main__':
    harness.main()
