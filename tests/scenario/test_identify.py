"""Which endpoint a request belongs to: each way to be identified, and their order.

Every endpoint here challenges with its own name as the realm, so that the answer tells who the sender was taken for.
"""
import re

import harness
from harness import Phone, ServerTest, TRANSPORTS, parse_challenge
from sippflow import Flow

NOBODY = 'asterisk'


def endpoint(name, text='', realm=None):
    realm = realm or name
    return (f'\n[{name}]\ntype=endpoint\nauth={name}\n{text}\n'
            f'\n[{name}]\ntype=auth\nusername={name}\npassword=secret\nrealm={realm}\n')


def authorization(user, realm='somewhere'):
    return f'Authorization: Digest username="{user}", realm="{realm}", nonce="0", uri="sip:x", response="0"'


class IdentifyTest(ServerTest):
    def taken_for(self, *steps, source='127.0.0.1'):
        """steps: (endpoint, headers, arguments of the request) tuples; all played by one SIPp."""
        f = Flow('unknown')
        for name, headers, kw in steps:
            f.send('OPTIONS', headers, **kw).expect(401,
                                                    has=[('WWW-Authenticate', f'^ *Digest realm="{re.escape(name)}"')])
        f.run(self.server, 'u1', '-i', source)

    def order(self):
        return self.server.cli('pjsip', 'show', 'identifiers', as_json=True)['identifiers']


def by_from(user, domain='127.0.0.1'):
    return {'sender': f'<sip:{user}@{domain}>'}


class Ways(IdentifyTest):
    pjsip = TRANSPORTS.replace('protocol=tcp', 'protocol=tcp\ndomain=tcp.example') + """
[alias.example.net]
type=domain_alias
domain=example.com
""" + ''.join((
        endpoint('alice'), endpoint('carol@example.com'), endpoint('carol'), endpoint('dave@example.com'),
        endpoint('erin@tcp.example'), endpoint('erin'),
        endpoint('onlyip', 'identify_by=ip'), endpoint('onlyauth', 'identify_by=auth_username'),
        endpoint('either', 'identify_by=username,auth_username'),
        endpoint('auth@example.com', 'identify_by=auth_username'),
        endpoint('gated@example.com', 'identify_by=auth_username'), endpoint('gated'),
        endpoint('net'), endpoint('host'), endpoint('ported'), endpoint('first'), endpoint('second'),
        endpoint('exact'), endpoint('regex'), endpoint('uri'), endpoint('uriregex'),
    )) + """
[net]
type=identify
endpoint=net
match=127.1.0.0/24,!127.1.0.7
match=127.2.0.0/255.255.0.0
[host]
type=identify
endpoint=host
match=!127.3.0.3,127.3.0.0/16
[b-later]
type=identify
endpoint=second
match=127.4.0.4
[B-sooner]
type=identify
endpoint=first
match=127.4.0.0/16
[exact]
type=identify
endpoint=exact
match_header=X-Trunk: one two
[regex]
type=identify
endpoint=regex
match_header=X-Other: /^tr[u]nk-[0-9]+$/
[uri]
type=identify
endpoint=uri
match_request_uri=sip:special@127.0.0.1\\;transport=udp
[uriregex]
type=identify
endpoint=uriregex
match_request_uri=/^sip:[+][0-9]+@/
"""

    # ---- username ----

    def test_username(self):
        self.taken_for(('alice', [], by_from('alice')), ('alice', [], by_from('%61lice')),
                       (NOBODY, [], by_from('Alice')),
                       (NOBODY, [], by_from('alic')), (NOBODY, [], by_from('alice;x=1')),
                       ('alice', [], by_from('alice', 'anywhere.example')),
                       ('alice', [], {'sender': '"bob" <sips:alice@127.0.0.1>'}),
                       (NOBODY, [], {'sender': '<tel:+1555>'}), (NOBODY, [], {'sender': '<sip:127.0.0.1>'}),
                       (NOBODY, [], by_from('x' * 300)))

    def test_user_at_domain_comes_before_user(self):
        self.taken_for(('carol@example.com', [], by_from('carol', 'example.com')),
                       ('carol', [], by_from('carol', 'example.org')),
                       ('dave@example.com', [], by_from('dave', 'example.com')),
                       (NOBODY, [], by_from('dave', 'example.org')))

    def test_domain_alias(self):
        self.taken_for(('carol@example.com', [], by_from('carol', 'alias.example.net')),
                       ('dave@example.com', [], by_from('dave', 'alias.example.net')))

    def test_the_domain_of_the_transport(self):
        for transport, name in (('udp', 'erin'), ('tcp', 'erin@tcp.example')):
            with Phone(self.server, 'erin', transport=transport) as phone:
                challenge = phone.ask('OPTIONS').get('WWW-Authenticate')
                self.assertEqual(parse_challenge(challenge)[1]['realm'], name)

    def test_identify_by_names_the_ways_that_serve(self):
        self.taken_for((NOBODY, [], by_from('onlyip')), (NOBODY, [], by_from('onlyauth')),
                       ('either', [], by_from('either')),
                       (NOBODY, [authorization('alice')], {}), ('either', [authorization('either')], {}))

    def test_the_first_endpoint_found_counts_even_when_it_does_not_want_to(self):
        self.taken_for((NOBODY, [], by_from('gated', 'example.com')), ('gated', [], by_from('gated', 'example.org')))

    # ---- auth_username ----

    def test_auth_username(self):
        self.taken_for(('onlyauth', [authorization('onlyauth')], {}),
                       ('onlyauth', [authorization('nobody'), authorization('onlyauth')], {}),
                       (NOBODY, ['Authorization: Basic abc', authorization('onlyauth')], {}),
                       ('auth@example.com', [authorization('auth', 'example.com')], {}),
                       (NOBODY, [authorization('auth', 'example.org')], {}),
                       (NOBODY, [authorization('onlyauth').replace('Auth', 'Proxy-Auth', 1)], {}))

    # ---- ip ----

    def test_networks_and_exceptions(self):
        for source, name in (('127.1.0.1', 'net'), ('127.1.0.7', NOBODY), ('127.1.1.1', NOBODY), ('127.2.200.1', 'net'),
                             ('127.3.0.3', 'host'), ('127.3.0.4', 'host')):
            with self.subTest(source):
                self.taken_for((name, [], {}), source=source)

    def test_sections_are_visited_in_the_order_of_their_bytes(self):
        self.taken_for(('first', [], {}), source='127.4.0.4')

    def test_a_port_counts_where_it_is_given(self):
        with Phone(self.server, 'x', source='127.5.0.1') as one, Phone(self.server, 'x', source='127.5.0.1') as other:
            try:
                self.server.write('pjsip.conf', self.pjsip + f'\n[ported]\ntype=identify\nendpoint=ported\n'
                                                             f'match=127.5.0.1:{one.address[1]}\n')
                self.server.reload()
                for phone, name in ((one, 'ported'), (other, NOBODY)):
                    challenge = phone.ask('OPTIONS').get('WWW-Authenticate')
                    self.assertEqual(parse_challenge(challenge)[1]['realm'], name)
            finally:
                self.server.write('pjsip.conf', self.pjsip)
                self.server.reload()

    # ---- header, request_uri ----

    def test_header(self):
        self.taken_for(('exact', ['X-Trunk: one two'], {}), ('exact', ['x-trunk:   one two  '], {}),
                       ('exact', ['X-Trunk: zero', 'X-Trunk: one two'], {}), (NOBODY, ['X-Trunk: One Two'], {}),
                       (NOBODY, ['X-Trunk: one two three'], {}),
                       ('regex', ['X-Other: trunk-42'], {}), (NOBODY, ['X-Other: trunk-'], {}),
                       (NOBODY, ['X-Other: my trunk-42'], {}), (NOBODY, [f'X-Other: trunk-{"4" * 3000}'], {}))

    def test_a_folded_header(self):
        with Phone(self.server, 'x') as phone:
            challenge = phone.ask('OPTIONS', headers=['X-Trunk: one', '\ttwo']).get('WWW-Authenticate')
            self.assertEqual(parse_challenge(challenge)[1]['realm'], 'exact')

    def test_request_uri(self):
        self.taken_for(('uri', [], {'uri': 'sip:special@127.0.0.1;transport=udp'}),
                       (NOBODY, [], {'uri': 'sip:special@127.0.0.1'}),
                       ('uriregex', [], {'uri': 'sip:+15551234@127.0.0.1'}), (NOBODY, [], {'uri': 'sip:x@127.0.0.1'}))

    def test_these_ways_ask_no_identify_by(self):
        # All of them have the default, username and ip.
        self.taken_for(('exact', ['X-Trunk: one two'], {}), ('uri', [], {'uri': 'sip:special@127.0.0.1;transport=udp'}))


class Anonymous(IdentifyTest):
    pjsip = TRANSPORTS + endpoint('alice') + endpoint('anonymous', 'identify_by=ip') + endpoint('anonymous@example.org')

    def test_anonymous(self):
        self.taken_for(('alice', [], by_from('alice')), ('anonymous', [], by_from('nobody')),
                       ('anonymous', [], by_from('anonymous', 'anonymous.invalid')),
                       ('anonymous@example.org', [], by_from('nobody', 'example.org')),
                       ('anonymous', [], {'sender': '<tel:123>'}))


class NoMultiDomain(IdentifyTest):
    pjsip = TRANSPORTS + '\n[global]\ntype=global\ndisable_multi_domain=yes\nignore_uri_user_options=yes\n' \
        + endpoint('carol@example.com') + endpoint('carol') + endpoint('dave@example.com')

    def test_only_the_user_counts(self):
        self.taken_for(('carol', [], by_from('carol', 'example.com')), (NOBODY, [], by_from('dave', 'example.com')))

    def test_options_of_the_user_are_cut(self):
        self.taken_for(('carol', [], by_from('carol;phone-context=x', 'example.com')))


# ---- order ----

EVERY_WAY = ''.join(endpoint(name, 'identify_by=username,auth_username') for name in
                    ('byip', 'byname', 'byauth', 'byheader', 'byuri', 'anonymous')) + """
[byip]
type=identify
endpoint=byip
match=127.6.0.1
[byheader]
type=identify
endpoint=byheader
match_header=X-Id: yes
[byuri]
type=identify
endpoint=byuri
match_request_uri=/special/
"""
REALMS = {'ip': 'byip', 'username': 'byname', 'auth_username': 'byauth', 'header': 'byheader', 'request_uri': 'byuri',
          'anonymous': 'anonymous'}


class OrderTest(IdentifyTest):
    def is_asked_in_order(self, order):
        """What all ways know is the first one's, what this one does not know is the second one's, and so on."""
        self.assertEqual(self.order(), order)
        for n in range(len(order)):
            ways = order[n:]
            headers = ['X-Id: yes'] if 'header' in ways else []
            if 'auth_username' in ways:
                headers = [*headers, authorization('byauth')]
            kw = {'sender': f'<sip:{"byname" if "username" in ways else "x"}@127.0.0.1>'}
            if 'request_uri' in ways:
                kw['uri'] = 'sip:special@127.0.0.1'
            self.taken_for((REALMS[ways[0]], headers, kw), source='127.6.0.1' if 'ip' in ways else '127.0.0.1')
            if ways[0] == 'anonymous':
                break  # it knows everybody


class DefaultOrder(OrderTest):
    pjsip = TRANSPORTS + EVERY_WAY

    def test_ip_username_anonymous_and_the_rest(self):
        order = self.order()
        self.assertEqual(order[:3], ['ip', 'username', 'anonymous'])
        self.assertEqual(sorted(order[3:]), ['auth_username', 'header', 'request_uri'])
        self.is_asked_in_order(order)


class OrderOfModules(OrderTest):
    pjsip = TRANSPORTS + EVERY_WAY
    files = {'modules.conf': '[modules]\nautoload=yes\nload=res_pjsip_endpoint_identifier_anonymous.so\n'
                             'load=res_pjsip_endpoint_identifier_user.so\nload=res_pjsip_endpoint_identifier_ip.so\n'}

    def test_as_the_load_lines_say_with_anonymous_last(self):
        self.is_asked_in_order(['username', 'auth_username', 'ip', 'header', 'request_uri', 'anonymous'])


class OrderOfModulesReversed(OrderTest):
    pjsip = TRANSPORTS + EVERY_WAY
    files = {'modules.conf': '[modules]\nload=res_sip_endpoint_identifier_ip\nload=res_sip_endpoint_identifier_user\n'
                             'load=res_sip_endpoint_identifier_anonymous\nload=res_sip_authenticator_digest\n'
                             'load=res_sip_options\n'}

    def test_as_the_load_lines_say(self):
        self.is_asked_in_order(['ip', 'header', 'request_uri', 'username', 'auth_username', 'anonymous'])


class OrderByOption(OrderTest):
    files = OrderOfModules.files
    pjsip = TRANSPORTS + EVERY_WAY + """
[global]
type=global
endpoint_identifier_order=request_uri,header,auth_username, username,ip,anonymous
"""

    def test_the_option_overrides_the_load_lines(self):
        self.is_asked_in_order(['request_uri', 'header', 'auth_username', 'username', 'ip', 'anonymous'])


class OrderByOptionInPart(OrderTest):
    pjsip = TRANSPORTS + EVERY_WAY + '\n[global]\ntype=global\nendpoint_identifier_order=header\n'

    def test_what_is_not_listed_is_asked_later(self):
        order = self.order()
        self.assertEqual((order[0], len(order)), ('header', 6))
        self.is_asked_in_order(order)


class Unidentified(ServerTest):
    """Where auth_username is listed, a first request without credentials is no attack yet."""
    pjsip = TRANSPORTS + endpoint('byauth', 'identify_by=auth_username') + """
[global]
type=global
endpoint_identifier_order=ip,username,auth_username,anonymous
unidentified_request_count=3
unidentified_request_period=60
"""

    def test_only_repeated_ones_are_logged(self):
        source, other = '127.0.0.8', '127.0.0.9'
        with Phone(self.server, 'nobody', source=source) as phone, Phone(self.server, 'byauth', source=other) as known:
            for _ in range(2):
                self.assertEqual(phone.ask('OPTIONS').status, 401)
                self.assertEqual(known.ask('OPTIONS').status, 401)
            table = self.server.cli('pjsip', 'show', 'unidentified_requests', as_json=True)['unidentified_requests']
            self.assertEqual({row['ip']: row['count'] for row in table}, {source: 2, other: 2})
            self.assertFalse([l for l in self.server.log if 'No matching endpoint found' in l])
            phone.ask('OPTIONS')
            self.server.wait_log(rf"failed for '{source}:\d+' \(callid: {phone.call_id}\) - No matching endpoint found "
                                 r'after 3 tries in [0-9.]+ ms')
            self.server.wait_log(f'SecurityEvent="InvalidAccountID".*AccountID="nobody".*SessionID="{phone.call_id}"')
            known.ask('OPTIONS', headers=[authorization('byauth')])
            table = self.server.cli('pjsip', 'show', 'unidentified_requests', as_json=True)['unidentified_requests']
            self.assertEqual([row['ip'] for row in table], [source])


if __name__ == '__main__':
    harness.main()
