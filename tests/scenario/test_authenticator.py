"""Digest authentication of requests: challenges, credentials right and wrong, nonces, algorithms."""
import hashlib
import re

import harness
from harness import Phone, ServerTest, TRANSPORTS, credentials, parse_challenge, phone_sections, wait_for
from sippflow import Flow

PARAMETERS = r'^Digest realm="{realm}",nonce="[0-9a-f]+",opaque="[0-9a-f]+",{stale}algorithm={algorithm},qop="auth"$'
URI = 'sip:127.0.0.1'


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def challenge_pattern(algorithm='MD5', stale=False, realm='asterisk'):
    return PARAMETERS.format(realm=re.escape(realm), algorithm=algorithm, stale='stale=true,' if stale else '')


class Authenticator(ServerTest):
    files = {'res_sip.conf': '[security]\ninformational=yes\n'}
    pjsip = TRANSPORTS + ''.join(phone_sections(name, endpoint=endpoint, auth=auth) for name, endpoint, auth in (
        ('alice', '', ''),
        ('sha256', '', 'supported_algorithms_uas=SHA-256'),
        ('sha512', '', 'supported_algorithms_uas=SHA-512-256'),
        ('every', '', 'supported_algorithms_uas=SHA-512-256,SHA-256,MD5'),
        ('realm', '', 'realm=Example.ORG'),
        ('short', '', 'nonce_lifetime=1'),
        ('opts', 'allow_unauthenticated_options=yes', ''),
    )) + """
[open]
type=endpoint

[cred]
type=endpoint
auth=cred
[cred]
type=auth
auth_type=md5
username=cred
""" + f"md5_cred={hashlib.md5(b'cred:asterisk:secret').hexdigest()}" + """

[digest]
type=endpoint
auth=digest
[digest]
type=auth
auth_type=digest
username=digest
supported_algorithms_uas=SHA-256,MD5
supported_algorithms_uac=SHA-256,MD5
""" + f"password_digest=SHA-256:{sha256('digest:asterisk:secret')}" + """
password=another

[pair]
type=endpoint
auth=pair1,pair2,pair3
[pair1]
type=auth
username=first
password=one
[pair2]
type=auth
username=second
password=two
[pair3]
type=auth
username=third
password=three
realm=elsewhere
"""

    def phone(self, user, **kw):
        phone = Phone(self.server, user, **kw)
        self.addCleanup(phone.close)
        return phone

    def challenge(self, phone, method='OPTIONS', status=401):
        answer = phone.ask(method)
        self.assertEqual(answer.status, status)
        return answer.get('WWW-Authenticate')

    def answer(self, phone, authorization, method='OPTIONS', **kw):
        """The answer to a new request with these credentials (or list of them)."""
        values = authorization if isinstance(authorization, list) else [authorization]
        return phone.ask(method, headers=[f'Authorization: {v}' for v in values], **kw)

    def is_stale(self, answer):
        return answer.status == 401 and 'stale=true' in answer.get('WWW-Authenticate')

    # ---- challenges ----

    def test_the_challenge_and_the_order_of_its_parameters(self):
        self.assertRegex(self.challenge(self.phone('alice')), challenge_pattern())
        self.assertRegex(self.challenge(self.phone('realm')), challenge_pattern(realm='Example.ORG'))
        self.assertRegex(self.challenge(self.phone('sha256')), challenge_pattern('SHA-256'))

    def test_each_challenge_has_a_nonce_of_its_own(self):
        phone = self.phone('alice')
        nonces = {parse_challenge(self.challenge(phone))[1]['nonce'] for _ in range(20)}
        self.assertEqual(len(nonces), 20)

    def test_one_challenge_an_algorithm_in_the_order_of_preference(self):
        answer = self.phone('every').ask('OPTIONS')
        found = [parse_challenge(c)[1]['algorithm'] for c in answer.all('WWW-Authenticate')]
        self.assertEqual(found, ['SHA-512-256', 'SHA-256', 'MD5'])

    def test_one_challenge_a_realm_for_several_auth_objects(self):
        answer = self.phone('pair').ask('OPTIONS')
        found = [parse_challenge(c)[1]['realm'] for c in answer.all('WWW-Authenticate')]
        self.assertEqual(found, ['asterisk', 'elsewhere'])

    def test_an_endpoint_without_auth_is_not_challenged(self):
        self.assertEqual(self.phone('open').ask('OPTIONS').status, 200)

    def test_an_ack_is_not_answered(self):
        phone = self.phone('alice')
        phone.send(phone.request('ACK'))
        self.assertEqual(phone.ask('OPTIONS').get('CSeq'), f'{phone.cseq} OPTIONS')

    def test_options_without_authentication_where_it_is_allowed(self):
        phone = self.phone('opts')
        self.assertEqual(phone.ask('OPTIONS').status, 200)
        self.assertEqual(phone.ask('REGISTER').status, 401)

    # ---- who may come in ----

    def test_sipp_comes_in_with_the_right_password_only(self):
        for transport in ('u1', 't1'):
            Flow().request('OPTIONS').request('OPTIONS', password='wrong', status=401).run(self.server, transport)
            Flow('cred').request('OPTIONS').request('OPTIONS', password='wrong', status=401).run(self.server, transport)
            Flow('pair').request('OPTIONS', user='first', password='one').request('OPTIONS', user='second', password='two') \
                .request('OPTIONS', user='first', password='two', status=401).run(self.server, transport)
        Flow().request('OPTIONS', user='ALICE', status=401).run(self.server)
        Flow('nobody').request('OPTIONS', status=401).run(self.server)

    def test_sipp_challenge(self):
        f = Flow()
        f.send('OPTIONS').expect(401, has=[('WWW-Authenticate', challenge_pattern().replace('^', '^ *'))])
        f.send('OPTIONS', auth=('alice', 'secret')).expect(200, lacks=['WWW-Authenticate'])
        f.run(self.server)

    def test_many_calls_at_once(self):
        Flow().request('OPTIONS').run(self.server, 'u1', '-r', '1000', calls=100)

    def test_each_algorithm(self):
        for user in ('alice', 'sha256', 'sha512', 'realm'):
            phone = self.phone(user)
            self.assertEqual(phone.ask_authenticated('OPTIONS').status, 200, user)
            self.assertEqual(phone.ask_authenticated('OPTIONS', password='wrong').status, 401, user)
        for pick in range(3):
            self.assertEqual(self.phone('every', transport='tcp').ask_authenticated('OPTIONS', pick=pick).status, 200)

    def test_stored_digests(self):
        phone = self.phone('cred')
        self.assertEqual(phone.ask_authenticated('OPTIONS').status, 200)
        phone = self.phone('digest')
        self.assertEqual(phone.ask_authenticated('OPTIONS', pick=0).status, 200)
        # For an algorithm without a digest of its own there is the password.
        self.assertEqual(phone.ask_authenticated('OPTIONS', pick=1, password='another').status, 200)
        self.assertEqual(phone.ask_authenticated('OPTIONS', pick=1).status, 401)

    def test_any_of_several_auth_objects(self):
        phone = self.phone('pair')
        for user, password, pick in (('first', 'one', 0), ('second', 'two', 0), ('third', 'three', 1)):
            self.assertEqual(phone.ask_authenticated('OPTIONS', username=user, password=password, pick=pick).status, 200)
        self.assertEqual(phone.ask_authenticated('OPTIONS', username='third', password='three', pick=0).status, 401)

    def test_an_algorithm_that_was_not_offered(self):
        phone = self.phone('sha256')
        c = self.challenge(phone).replace('SHA-256', 'MD5')
        self.assertEqual(self.answer(phone, credentials(c, 'OPTIONS', URI, 'sha256', 'secret')).status, 401)

    def test_names_and_hex_digits_in_any_case(self):
        phone = self.phone('sha256')
        c = self.challenge(phone)
        value = credentials(c, 'OPTIONS', URI, 'sha256', 'secret')
        value = re.sub('response="(.*?)"', lambda m: f'RESPONSE="{m[1].upper()}"', value)
        value = value.replace('algorithm=SHA-256', 'Algorithm="sha-256"').replace('qop=auth', 'qop="auth"') \
            .replace('Digest', 'dIGEST')
        self.assertEqual(self.answer(phone, value).status, 200)

    def test_a_realm_that_is_not_ours_is_not_looked_at(self):
        phone = self.phone('alice')
        mark = len(self.server.log)
        c = self.challenge(phone)
        other = credentials(c.replace('realm="asterisk"', 'realm="Asterisk"'), 'OPTIONS', URI, 'alice', 'secret')
        self.assertEqual(self.answer(phone, other).status, 401)
        right = credentials(c, 'OPTIONS', URI, 'alice', 'secret')
        self.assertEqual(self.answer(phone, [other, right]).status, 200)
        self.assertFalse([l for l in self.server.log[mark:] if 'Failed to authenticate' in l and phone.call_id in l])

    def test_the_first_credentials_of_a_realm_count(self):
        phone = self.phone('alice')
        c = self.challenge(phone)
        right = credentials(c, 'OPTIONS', URI, 'alice', 'secret')
        wrong = credentials(c, 'OPTIONS', URI, 'alice', 'wrong')
        self.assertEqual(self.answer(phone, [wrong, right]).status, 401)  # one request, one guess
        self.assertEqual(self.answer(phone, [right, wrong]).status, 200)

    def test_only_some_credentials_of_a_request_are_looked_at(self):
        phone = self.phone('alice')
        c = self.challenge(phone)
        other = [credentials(c.replace('realm="asterisk"', f'realm="r{i}"'), 'OPTIONS', URI, 'alice', 'secret')
                 for i in range(8)]
        right = credentials(c, 'OPTIONS', URI, 'alice', 'secret')
        self.assertEqual(self.answer(phone, other + [right]).status, 401)
        self.assertEqual(self.answer(phone, other[:7] + [right]).status, 200)

    # ---- who may not: no difference shows ----

    def test_an_unknown_user_looks_like_a_wrong_password(self):
        def plain(phone, answer):
            text = answer.data.decode()
            for pattern in ('nonce="[^"]*"', 'opaque="[^"]*"', 'tag=[^;\r]*', 'branch=[^;\r]*', 'rport=[0-9]+',
                            f':{phone.address[1]}', 'Call-ID: .*', 'CSeq: .*'):
                text = re.sub(pattern, '', text)
            return text.replace(phone.user, 'USER')

        for transport in ('udp', 'tcp'):
            for method in ('OPTIONS', 'REGISTER', 'MESSAGE'):
                known, unknown = self.phone('alice', transport=transport), self.phone('nobod', transport=transport)
                first = [plain(p, p.ask(method)) for p in (known, unknown)]
                second = [plain(p, p.ask_authenticated(method, password='wrong')) for p in (known, unknown)]
                self.assertEqual(first[0], first[1])
                self.assertEqual(second[0], second[1])

    def test_failures_and_successes_are_told_apart_in_the_log(self):
        phone = self.phone('alice')
        phone.ask_authenticated('OPTIONS')
        self.server.wait_log(f'SecurityEvent="ChallengeSent".*Severity="Informational".*SessionID="{phone.call_id}".*'
                             'Challenge=""$')
        self.server.wait_log(f'SecurityEvent="SuccessfulAuth".*AccountID="alice",SessionID="{phone.call_id}".*UsingPassword="1"$')
        phone = self.phone('alice')
        phone.ask_authenticated('OPTIONS', password='wrong')
        line = self.server.wait_log(f'.*SecurityEvent="ChallengeResponseFailed".*SessionID="{phone.call_id}".*')[0]
        self.assertIn('AccountID="alice"', line)
        self.assertRegex(line, r'RemoteAddress="IPV4/UDP/127\.0\.0\.1/%d",Challenge="[0-9a-f]+",Response="",'
                               r'ExpectedResponse=""$' % phone.address[1])

    # ---- nonces ----

    def test_an_old_nonce_is_stale(self):
        phone = self.phone('short')
        c = self.challenge(phone)
        count = 0

        def old():
            nonlocal count
            count += 1
            answer = self.answer(phone, credentials(c, 'OPTIONS', URI, 'short', 'secret', nc=count))
            return answer if answer.status == 401 else None
        answer = wait_for(old)
        self.assertGreater(count, 1)
        self.assertRegex(answer.get('WWW-Authenticate'), challenge_pattern(stale=True))
        # A wrong password with an old nonce is a wrong password.
        answer = self.answer(phone, credentials(c, 'OPTIONS', URI, 'short', 'wrong', nc=count + 1))
        self.assertRegex(answer.get('WWW-Authenticate'), challenge_pattern())

    def test_a_nonce_count_serves_once(self):
        phone = self.phone('alice')
        mark = len(self.server.log)
        value = credentials(self.challenge(phone), 'OPTIONS', URI, 'alice', 'secret')
        self.assertEqual(self.answer(phone, value).status, 200)
        answer = self.answer(phone, value)
        self.assertRegex(answer.get('WWW-Authenticate'), challenge_pattern(stale=True))
        self.assertFalse([l for l in self.server.log[mark:] if 'Failed to authenticate' in l and phone.call_id in l])

    def test_nonce_counts_may_change_places_inside_a_window(self):
        phone = self.phone('alice')
        c = self.challenge(phone)

        def use(nc):
            return self.answer(phone, credentials(c, 'OPTIONS', URI, 'alice', 'secret', nc=nc))
        self.assertEqual([use(nc).status for nc in (5, 3, 4, 1, 2, 6, 40, 30)], [200] * 8)
        self.assertTrue(self.is_stale(use(3)))
        self.assertTrue(self.is_stale(use(40)))
        self.assertEqual(use(200).status, 200)
        self.assertTrue(self.is_stale(use(41)))
        self.assertEqual(use(150).status, 200)

    def test_a_retransmission_is_no_replay(self):
        phone = self.phone('alice')
        value = credentials(self.challenge(phone), 'OPTIONS', URI, 'alice', 'secret')
        data = phone.request('OPTIONS', headers=[f'Authorization: {value}'])
        phone.send(data)
        first = phone.final()
        phone.send(data)
        self.assertEqual((first.status, phone.final().data), (200, first.data))

    def test_without_qop_a_nonce_serves_once(self):
        phone = self.phone('alice')
        value = credentials(self.challenge(phone), 'OPTIONS', URI, 'alice', 'secret', qop=False)
        self.assertEqual(self.answer(phone, value).status, 200)
        self.assertTrue(self.is_stale(self.answer(phone, value)))
        c = self.challenge(phone)
        self.assertEqual(self.answer(phone, credentials(c, 'OPTIONS', URI, 'alice', 'secret')).status, 200)
        self.assertTrue(self.is_stale(self.answer(phone, credentials(c, 'OPTIONS', URI, 'alice', 'secret', qop=False))))

    def test_a_nonce_belongs_to_an_address_but_to_no_port(self):
        c = self.challenge(self.phone('alice'))
        value = credentials(c, 'OPTIONS', URI, 'alice', 'secret')
        self.assertTrue(self.is_stale(self.answer(self.phone('alice', source='127.0.0.2'), value)))
        self.assertEqual(self.answer(self.phone('alice'), value).status, 200)

    def test_a_nonce_of_somebody_elses_making_is_stale(self):
        phone = self.phone('alice')
        c = self.challenge(phone)
        nonce = parse_challenge(c)[1]['nonce']
        flipped = nonce[:-1] + ('0' if nonce[-1] != '0' else '1')
        for made in (flipped, '0' * len(nonce), 'x', 'f' * 300):
            value = credentials(c.replace(nonce, made), 'OPTIONS', URI, 'alice', 'secret')
            self.assertTrue(self.is_stale(self.answer(phone, value)), made)

    def test_a_nonce_survives_a_reload(self):
        phone = self.phone('alice')
        c = self.challenge(phone)
        self.server.reload()
        self.assertEqual(self.answer(phone, credentials(c, 'OPTIONS', URI, 'alice', 'secret')).status, 200)

    # ---- credentials that are none ----

    def test_credentials_that_lack_a_parameter(self):
        phone = self.phone('alice')
        for name in ('username', 'realm', 'nonce', 'uri', 'response', 'nc', 'cnonce'):
            value = credentials(self.challenge(phone), 'OPTIONS', URI, 'alice', 'secret')
            without = re.sub(rf'(?<![\w])({name})=("[^"]*"|[^,\s]+)(, )?', '', value).rstrip(', ')
            self.assertNotEqual(value, without)
            self.assertEqual(self.answer(phone, without).status, 401, name)
            self.assertEqual(self.answer(phone, value).status, 200, name)

    def test_credentials_that_make_no_sense(self):
        phone = self.phone('alice')
        value = credentials(self.challenge(phone), 'OPTIONS', URI, 'alice', 'secret')
        for pattern, text in (('nc=[0-9]+', 'nc=00000000'), ('nc=[0-9]+', 'nc=1'), ('nc=[0-9]+', 'nc=zzzzzzzz'),
                              ('qop=auth', 'qop=auth-int'), ('qop=auth', 'qop=""'), ('algorithm=MD5', 'algorithm=MD5-sess'),
                              ('algorithm=MD5', 'algorithm=rot13'), ('response="[^"]*"', 'response=""'),
                              ('response="[^"]*"', f'response="{"a" * 31}"'), ('response="[^"]*"', f'response="{"a" * 33}"'),
                              ('response="[^"]*"', f'response="{"a" * 9000}"'), ('username="[^"]*"', f'username="{"a" * 9000}"'),
                              ('cnonce="[^"]*"', f'cnonce="{"a" * 9000}"'), ('uri="[^"]*"', f'uri="sip:{"a" * 9000}"'),
                              ('Digest', 'Basic'), ('Digest .*', 'Digest username="alice"')):
            bad = re.sub(pattern, text, value)
            self.assertNotEqual(bad, value)
            self.assertEqual(self.answer(phone, bad).status, 401, text[:40])
        self.assertEqual(self.answer(phone, value).status, 200)

    def test_quoted_characters_in_a_user_name(self):
        phone = self.phone('alice')
        value = credentials(self.challenge(phone), 'OPTIONS', URI, 'alice', 'secret').replace('"alice"', r'"al\ice"')
        self.assertEqual(self.answer(phone, value).status, 200)


class NoAuthenticator(ServerTest):
    """Nobody is let in because nobody is there to ask."""
    files = {'modules.conf': '[modules]\nautoload=yes\nnoload=res_pjsip_authenticator_digest.so\n'}
    pjsip = TRANSPORTS + phone_sections('alice') + '\n[open]\ntype=endpoint\n'

    def test_who_would_be_challenged_gets_500(self):
        for user, status in (('alice', 500), ('nobody', 500), ('open', 200)):
            with Phone(self.server, user) as phone:
                self.assertEqual(phone.ask('OPTIONS').status, status, user)


class NoAuthenticatorAllowed(ServerTest):
    files = {'modules.conf': '[modules]\nautoload=yes\nnoload=res_sip_authenticator_digest\n',
             'res_sip.conf': '[identify]\nallow_without_authenticator=yes\n'}
    pjsip = TRANSPORTS + phone_sections('alice')

    def test_known_endpoints_pass(self):
        for user, status in (('alice', 200), ('nobody', 500)):
            with Phone(self.server, user) as phone:
                self.assertEqual(phone.ask('OPTIONS').status, status, user)


if __name__ == '__main__':
    harness.main()
