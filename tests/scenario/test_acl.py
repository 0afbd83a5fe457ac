"""Access lists: for all requests (403), for one endpoint (as if there were none), for Contacts, IPv4 and IPv6."""
import unittest

import harness
from harness import Phone, ServerTest, TRANSPORTS, has_ipv6, parse_challenge, phone_sections
from sippflow import Flow

IPV6 = """
[udp6]
type=transport
protocol=udp
bind=[::1]:@UDP@
[tcp6]
type=transport
protocol=tcp
bind=[::1]:@TCP@
"""


class Everybody(ServerTest):
    """type=acl: before anybody is identified or challenged."""
    pjsip = TRANSPORTS + phone_sections('alice') + """
[sources]
type=acl
deny=127.0.0.2
acl=bad
[contacts]
type=acl
contact_deny=127.0.0.0/255.0.0.0
contact_permit=127.0.0.1
"""
    files = {'acl.conf': '[bad]\ndeny=127.0.0.3,127.0.0.4\npermit=127.0.0.4\n'}

    def test_a_source_that_may_not(self):
        for transport in ('u1', 't1'):
            for source in ('127.0.0.2', '127.0.0.3'):
                flow = Flow()
                for method in ('OPTIONS', 'REGISTER', 'MESSAGE'):
                    flow.send(method).expect(403, lacks=['WWW-Authenticate'])
                flow.run(self.server, transport, '-i', source)
        self.server.wait_log("NOTICE.*SIP ACL: Rejecting '127.0.0.2' due to a failure to pass ACL '.BASELINE.'")
        self.server.wait_log("NOTICE.*SIP ACL: Rejecting '127.0.0.3' due to a failure to pass ACL 'bad'")
        self.server.wait_log(r'WARNING.*Incoming SIP message from 127\.0\.0\.2:\d+ did not pass ACL test')

    def test_a_source_that_may(self):
        for source in ('127.0.0.1', '127.0.0.4'):
            Flow().request('OPTIONS').run(self.server, 'u1', '-i', source)

    def test_a_contact_that_may_not(self):
        f = Flow()
        f.send('REGISTER', ['Contact: <sip:alice@127.0.0.5:5060>']).expect(403)
        f.send('REGISTER', ['Contact: <sip:alice@127.0.0.1:5060>', 'Contact: <sip:alice@127.0.0.5:5060>']).expect(403)
        f.register('<sip:alice@127.0.0.1:5060>', '<sip:alice@example.com>', expires=60)
        f.register('*', expires=0)
        f.run(self.server)
        self.server.wait_log('NOTICE.*SIP Contact ACL: Rejecting ')

    def test_an_ack_is_dropped(self):
        with Phone(self.server, 'alice', source='127.0.0.2') as phone:
            phone.send(phone.request('ACK'))
            self.assertEqual(phone.ask('OPTIONS').get('CSeq'), f'{phone.cseq} OPTIONS')


class Endpoint(ServerTest):
    """Rules of one endpoint: who breaks them is treated like somebody unknown."""
    pjsip = TRANSPORTS + phone_sections('alice', endpoint='deny=0.0.0.0/0\npermit=127.0.0.1', auth='realm=alice') + \
        phone_sections('named', endpoint='acl=office', auth='realm=named') + \
        phone_sections('last', endpoint='deny=127.0.0.0/8\npermit=127.0.0.0/24\npermit=!127.0.0.128/25',
                       auth='realm=last') + \
        phone_sections('contact', endpoint='contact_deny=0.0.0.0/0\ncontact_permit=127.0.0.1', auth='realm=contact') + \
        phone_sections('contactacl', endpoint='contact_acl=office', auth='realm=contactacl')
    files = {'acl.conf': '[office]\ndeny=0.0.0.0/0\npermit=127.0.0.1\n'}

    def realm(self, phone, method='OPTIONS', **kw):
        answer = phone.ask(method, **kw)
        self.assertEqual(answer.status, 401)
        return parse_challenge(answer.get('WWW-Authenticate'))[1]['realm']

    def phone(self, user, **kw):
        phone = Phone(self.server, user, **kw)
        self.addCleanup(phone.close)
        return phone

    def test_a_source_that_may_not_is_nobody(self):
        for user in ('alice', 'named'):
            for transport in ('udp', 'tcp'):
                phone = self.phone(user, source='127.0.0.2', transport=transport)
                self.assertEqual(self.realm(phone), 'asterisk')
                self.assertEqual(phone.ask_authenticated('OPTIONS').status, 401)
                self.server.wait_log(f"NOTICE.*Request 'OPTIONS' from '.*{user}@.*' failed for "
                                     rf"'127\.0\.0\.2:{phone.address[1]}' "
                                     r'\(callid: .*\) - Not match Endpoint ACL$')
                self.server.wait_log(f'SecurityEvent="FailedACL".*AccountID="{user}",SessionID="{phone.call_id}".*'
                                     f'RemoteAddress="IPV4/{transport.upper()}/127.0.0.2/{phone.address[1]}",'
                                     'ACLName="not_match_endpoint_acl"$')
        self.server.wait_log("SIP ACL: Rejecting '127.0.0.2' due to a failure to pass ACL '.BASELINE.'")
        self.server.wait_log("SIP ACL: Rejecting '127.0.0.2' due to a failure to pass ACL 'office'")

    def test_sipp_is_refused_with_the_right_password(self):
        Flow().request('OPTIONS').run(self.server, 'u1', '-i', '127.0.0.1')
        Flow().request('OPTIONS', status=401).run(self.server, 'u1', '-i', '127.0.0.2')

    def test_the_last_rule_that_matches_decides(self):
        for source, realm in (('127.0.0.9', 'last'), ('127.0.0.200', 'asterisk'), ('127.0.1.1', 'asterisk')):
            self.assertEqual(self.realm(self.phone('last', source=source)), realm, source)

    def test_contacts(self):
        for user in ('contact', 'contactacl'):
            phone = self.phone(user)
            self.assertEqual(self.realm(phone), user)
            self.assertEqual(self.realm(phone, 'REGISTER', headers=['Contact: <sip:a@127.0.0.1:1>']), user)
            self.assertEqual(self.realm(phone, 'REGISTER',
                                        headers=['Contact: <sip:a@127.0.0.1:1>, <sip:a@127.0.0.2:1>']),
                             'asterisk')
            self.server.wait_log(rf'SecurityEvent="FailedACL".*AccountID="{user}",SessionID="{phone.call_id}".*'
                                 'ACLName="not_match_endpoint_contact_acl"$')
            self.server.wait_log(rf'failed for .*\(callid: {phone.call_id}\) - Not match Endpoint Contact ACL$')
            self.assertEqual(phone.register(['<sip:a@127.0.0.1:1>']).status, 200)
            self.assertEqual(phone.register(['*'], expires=0).status, 200)

    def test_a_changed_acl_conf_is_taken_up(self):
        phone = self.phone('named', source='127.0.0.2')
        try:
            self.server.write('acl.conf', '[office]\ndeny=0.0.0.0/0\npermit=127.0.0.2\n')
            self.server.reload()
            self.assertEqual(self.realm(phone), 'named')
        finally:
            self.server.write('acl.conf', self.files['acl.conf'])
            self.server.reload()
        self.assertEqual(self.realm(phone), 'asterisk')


@unittest.skipUnless(has_ipv6(), 'no IPv6 loopback')
class IPv6(ServerTest):
    pjsip = TRANSPORTS + IPV6 + phone_sections('open') + phone_sections('closed', endpoint='deny=::/0') + \
        phone_sections('four', endpoint='deny=0.0.0.0/0') + phone_sections('mine',
                                                                           endpoint='deny=::/0\npermit=::1/128') + \
        phone_sections('contact', endpoint='contact_deny=::/0')

    def test_rules_of_one_family_say_nothing_of_the_other(self):
        for transport in ('udp', 'tcp'):
            for user, four, six in (('open', 200, 200), ('closed', 200, 401), ('four', 401, 200), ('mine', 200, 200)):
                for source, status in (('127.0.0.1', four), ('::1', six)):
                    with Phone(self.server, user, source=source, transport=transport) as phone:
                        self.assertEqual(phone.ask_authenticated('OPTIONS').status, status, (user, source, transport))
        self.server.wait_log(r"failed for '\[::1\]:\d+' \(callid: .*\) - Not match Endpoint ACL$")
        self.server.wait_log(r'RemoteAddress="IPV6/UDP/::1/\d+",ACLName="not_match_endpoint_acl"$')

    def test_contacts(self):
        with Phone(self.server, 'contact', source='::1') as phone:
            self.assertEqual(phone.register().status, 401)
            self.assertEqual(phone.register(['<sip:a@127.0.0.1>'], expires=60).status, 200)

    def test_a_phone_registers_over_ipv6(self):
        for transport in ('udp', 'tcp'):
            with Phone(self.server, 'open', source='::1', transport=transport) as phone:
                phone.register(['*'], expires=0)
                self.assertEqual(phone.register(expires=60).get('Contact'), f'{phone.contact};expires=60')


if __name__ == '__main__':
    harness.main()
