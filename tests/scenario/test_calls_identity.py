"""Who calls, as the called side sees it: identities, privacy, diversions; what of one leg the other must never see;
how a called endpoint is shown a password."""
import re

import harness
from legs import A_WHILE, OFFER
from callserver import CallTest, endpoint_sections, endpoints
from harness import TRANSPORTS, credentials
from sippcall import Callee, Caller, play

PAI = 'P-Asserted-Identity: "Alice Asserted" <sip:5551@example.com>'
RPID = 'Remote-Party-ID: "Alice Remote" <sip:5552@example.com>;party=calling;privacy=off;screen=yes'
DIVERSION = 'Diversion: "Desk" <sip:desk@example.com>;reason=no-answer;counter=1'
HISTORY = 'History-Info: <sip:desk@example.com>;index=1'


class Identity(CallTest):
    pjsip = TRANSPORTS + endpoints('alice', 'bob', 'carol') + \
        endpoint_sections('trusted', 'trust_id_inbound=yes') + \
        endpoint_sections('named', 'callerid="Nora Named" <4242>') + \
        endpoint_sections('pai', 'send_pai=yes') + \
        endpoint_sections('rpid', 'send_rpid=yes') + \
        endpoint_sections('insider', 'send_pai=yes\ntrust_id_outbound=yes') + \
        endpoint_sections('fixed', 'from_user=trunk\nfrom_domain=example.net') + \
        endpoint_sections('undiverted', 'send_diversion=no') + \
        endpoint_sections('history', 'send_history_info=yes') + \
        endpoint_sections('locked', 'outbound_auth=locked') + """
[locked]
type=auth
auth_type=userpass
username=door
password=key
"""

    # ---- with SIPp ----

    def test_an_asserted_identity_reaches_the_called_side(self):
        play(self, Caller('trusted', 'pai').answered([PAI]).bye(),
             Callee('pai').answering(has=[('P-Asserted-Identity', '"?Alice Asserted"? *<sip:5551@')],
                                     lacks=['Remote-Party-ID']).hung_up())

    def test_a_remote_party_reaches_the_called_side(self):
        play(self, Caller('trusted', 'rpid').answered([RPID]).bye(),
             Callee('rpid').answering(has=[('Remote-Party-ID', '<sip:5552@.*party=calling')],
                                      lacks=['P-Asserted-Identity']).hung_up())

    def test_an_identity_that_is_not_trusted_is_not_believed(self):
        play(self, Caller('alice', 'pai').answered([PAI]).bye(),
             Callee('pai').answering(has=[('P-Asserted-Identity', '<sip:alice@')]).hung_up())

    def test_privacy_hides_the_caller(self):
        play(self, Caller('trusted', 'pai').answered([PAI, 'Privacy: id']).bye(),
             Callee('pai').answering(has=[('From', 'sip:anonymous@anonymous.invalid')], lacks=['P-Asserted-Identity'])
             .hung_up())

    def test_a_diversion_is_kept(self):
        play(self, Caller('alice', 'bob').answered([DIVERSION]).bye(),
             Callee('bob').answering(has=[('Diversion', '<sip:desk@example.com>.*reason=no-answer')]).hung_up())

    def test_a_history_is_kept(self):
        play(self, Caller('trusted', 'history').answered([HISTORY]).bye(),
             Callee('history').answering(has=[('History-Info', 'sip:desk@example.com.*index=1')]).hung_up())

    def test_a_password_is_shown_to_the_called_side(self):
        challenge = 'Digest realm="door", nonce="n1", algorithm=MD5, qop="auth"'
        for status, header in ((401, 'WWW-Authenticate'), (407, 'Proxy-Authenticate')):
            answer = {401: 'Authorization', 407: 'Proxy-Authorization'}[status]
            callee = Callee('locked').called(lacks=[answer]).refuse(status, [f'{header}: {challenge}'])
            callee.called(has=[(answer, 'username="door".*realm="door"')]).ring().accept().hung_up()
            play(self, Caller('alice', 'locked').answered().bye(), callee)

    # ---- by the scripted phone ----

    def called(self, to, headers=(), user='alice', **kw):
        """The INVITE that reaches the called side; the call is given up then."""
        a, b = self.two(user, to)
        leg, other = self.ring(a, b, headers=headers, **kw)
        leg.cancel()
        answer = leg.final(leg.invite)
        self.assertEqual(answer.status, 487)
        leg.ack(answer)
        other.reply(other.expect('CANCEL'), 200)
        other.answer(487)
        other.expect('ACK')
        return other.invite

    def test_the_endpoints_own_caller_id(self):
        self.assertRegex(self.called('bob', user='named').get('From'), '^"?Nora Named"? <sip:4242@')

    def test_the_callers_name_and_number(self):
        invite = self.called('bob', sender='"Al \\"Q\\" Ice" <sip:alice@127.0.0.1>')
        self.assertRegex(invite.get('From'), r'^"Al \\"Q\\" Ice" <sip:alice@')

    def test_the_from_that_an_endpoint_is_shown_always(self):
        self.assertRegex(self.called('fixed').get('From'), '<sip:trunk@example.net>')

    def test_a_hidden_identity_is_told_to_a_trusted_endpoint(self):
        invite = self.called('insider', [PAI, 'Privacy: id'], user='trusted')
        self.assertIn('sip:anonymous@anonymous.invalid', invite.get('From'))
        self.assertRegex(invite.get('P-Asserted-Identity'), '<sip:5551@')
        self.assertIn('id', invite.get('Privacy'))

    def test_no_diversion_for_an_endpoint_without_it(self):
        self.assertIsNone(self.called('undiverted', [DIVERSION]).get('Diversion'))

    def test_a_redirection_leaves_a_diversion(self):
        a, b = self.two('alice', 'bob')
        c = self.phone('carol')
        leg = a.call('bob')
        first = b.incoming()
        first.answer(302, headers=[f'Contact: {c.contact}'])
        second = c.incoming()
        self.assertRegex(second.invite.get('Diversion'), '<sip:bob@.*reason=')
        second.answer(603)
        self.assertEqual(leg.final(leg.invite).status, 603)
        second.expect('ACK')

    def test_the_answering_side_is_told_to_the_caller(self):
        a, b = self.two('pai', 'trusted')
        leg = a.call('trusted')
        other = b.incoming()
        other.answer(200, headers=[PAI])
        ok = leg.expect(200)
        self.assertRegex(ok.get('P-Asserted-Identity'), '<sip:5551@')
        leg.ack(ok)
        other.expect('ACK')
        self.hang_up(leg, other)

    def test_nothing_of_one_leg_is_shown_on_the_other(self):
        """Via, From and To tags, Contact, Call-ID, routes, branch, agent: not one of their words passes."""
        a, b = self.two('alice', 'bob')
        told = ['User-Agent: phone-of-a', 'Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, X-SECRET', 'X-Unknown: of-a',
                'Supported: x-tag-of-a']
        leg = a.call('bob', headers=told)
        other = b.incoming()
        other.answer(180, headers=['Server: phone-of-b'])
        leg.expect(180)
        other.answer(200, headers=['Server: phone-of-b', 'Allow: INVITE, ACK, BYE, CANCEL, X-SECRET-B'])
        ok = leg.expect(200)
        leg.ack(ok)
        ack = other.expect('ACK')
        bye = leg.send('BYE', ['User-Agent: phone-of-a'])
        end = other.hung_up()
        self.assertEqual(leg.final(bye).status, 200)
        port_a, port_b = (f':{p.address[1]}' for p in (a, b))
        of_a = [leg.call_id, leg.local_tag, port_a, 'phone-of-a', 'X-SECRET', 'x-tag-of-a',
                leg.invite.get('Via').partition('branch=')[2].partition(';')[0]]
        of_b = [other.call_id, other.local_tag, port_b, 'phone-of-b', 'X-SECRET-B',
                other.invite.get('Via').partition('branch=')[2].partition(';')[0]]
        for message, words in [(m, of_a) for m in (other.invite, ack, end)] + [(ok, of_b)]:
            head = message.data.decode().partition('\r\n\r\n')[0]
            for word in words:
                self.assertNotIn(word, head)
        self.assertEqual(len(other.invite.all('Via')), 1)
        self.assertIsNone(other.invite.get('Record-Route'))
        self.assertEqual(other.invite.body, OFFER)

    def test_what_describes_the_call_passes(self):
        told = {'Subject': 'lunch', 'Priority': 'urgent', 'Alert-Info': '<http://example.com/ring.wav>',
                'Call-Info': '<http://example.com/alice.png>;purpose=icon', 'User-to-User': '00AB;encoding=hex',
                'Accept-Language': 'de'}
        invite = self.called('bob', [f'{k}: {v}' for k, v in told.items()])
        for name, value in told.items():
            self.assertEqual(invite.get(name), value, name)
        self.assertEqual(invite.get('Content-Type'), 'application/sdp')

    def test_max_forwards_is_counted_down(self):
        """A call that comes back again and again must end."""
        self.assertEqual(int(self.called('bob').get('Max-Forwards')), 69)

    def test_a_wrong_password_on_the_called_side_ends_the_call(self):
        a, b = self.two('alice', 'locked')
        leg = a.call('locked')
        other = b.incoming()
        challenge = 'WWW-Authenticate: Digest realm="door", nonce="n{}", algorithm=MD5, qop="auth"'
        other.answer(401, headers=[challenge.format(1)])
        other.expect('ACK')
        again = other.expect('INVITE')
        expected = credentials(challenge.format(1).partition(': ')[2], 'INVITE', again.start.split()[1], 'door', 'key',
                               cnonce=re.search('cnonce="(.*?)"', again.get('Authorization')).group(1))
        response = re.search('response="(.*?)"', expected).group(1)
        self.assertIn(f'response="{response}"', again.get('Authorization'))
        tries = 1
        while again:
            tries += 1
            other.answer(401, headers=[challenge.format(tries)])
            other.expect('ACK')
            again = b.next(lambda m: m.method == 'INVITE', A_WHILE)
            if again:
                other.learn(again)
        self.assertLessEqual(tries, 11)
        answer = leg.final(leg.invite)
        self.assertEqual(answer.status, 403)
        leg.ack(answer)


if __name__ == '__main__':
    harness.main()
