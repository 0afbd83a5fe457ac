"""The registrar, asked by SIPp: bindings, their order, limits, expiry, Path, and what it refuses."""
import harness
from harness import ServerTest, TRANSPORTS, phone_sections
from sippflow import Flow

ONE, TWO, THREE = (f'<sip:phone@127.0.0.1:{port}>' for port in (10001, 10002, 10003))


def left(seconds):
    """What the answer may say of an expiry just granted: a slow machine may take some seconds."""
    return ';expires=(' + '|'.join(str(seconds - n) for n in range(0, 6)) + ')$'


class Registrar(ServerTest):
    pjsip = TRANSPORTS + ''.join(
        phone_sections(f'p{n}', aor='max_contacts=5') for n in range(12)
    ) + phone_sections('clamped',
                       aor='max_contacts=5\nminimum_expiration=30\nmaximum_expiration=200\ndefault_expiration=90') \
      + phone_sections('zero', aor='max_contacts=5\ndefault_expiration=10') \
      + phone_sections('two', aor='max_contacts=2') \
      + phone_sections('evict', aor='max_contacts=2\nremove_existing=yes') \
      + phone_sections('many', aor='max_contacts=2\nremove_existing=yes') \
      + phone_sections('unavailable', aor='max_contacts=1\nremove_unavailable=yes') \
      + phone_sections('path', aor='max_contacts=5\nsupport_path=yes') \
      + phone_sections('nopath', aor='max_contacts=5') \
      + phone_sections('static', aor='max_contacts=1\ncontact=sip:desk@127.0.0.1:10009') \
      + phone_sections('closed', aor='max_contacts=0') \
      + phone_sections('case', aor='max_contacts=5') + """
[noaor]
type=endpoint
auth=noaor
[noaor]
type=auth
username=noaor
password=secret
[multi]
type=endpoint
auth=multi
aors=first,second@example.com
[multi]
type=auth
username=multi
password=secret
[first]
type=aor
max_contacts=1
[second@example.com]
type=aor
max_contacts=1
[alias.example.net]
type=domain_alias
domain=example.com
"""

    def play(self, flow, transport='u1'):
        flow.run(self.server, transport, name=self.id().rsplit('.', 1)[1])

    # ---- RFC 3261 section 10 ----

    def lifecycle(self, user, transport):
        extra = ';transport=tcp' if transport == 't1' else ''
        one, two = f'<sip:a@127.0.0.1:10001{extra}>', f'<sip:a@127.0.0.1:10002{extra}>'
        f = Flow(user)
        f.register(lacks=['Contact', 'Expires'],
                   has=[('Date', '^ *[A-Z][a-z]+, [0-9][0-9] [A-Z][a-z]+ [0-9]+ [0-9:]+ GMT$')])
        f.register(one + ';expires=300', has=[('Contact', one + left(300)), ('Date', 'GMT$')], lacks=['Expires'])
        f.register(has=[('Contact', one + left(300))])
        f.register(one, expires=500, has=[('Contact', one + left(500)), ('Expires', '^ *500$')])
        f.register(two, expires=400, has=[('Contact', 'expires='), ('Contact', 'expires=', 2)])
        f.register(one + ';expires=0', has=[('Contact', two + left(400))])
        f.register(lacks=['Expires'], has=[('Contact', two + left(400))])
        f.register('*', expires=0, lacks=['Contact'], has=[('Expires', '^ *0$')])
        f.register(lacks=['Contact'])
        self.play(f, transport)

    def test_bindings_live_over_udp(self):
        self.lifecycle('p0', 'u1')

    def test_bindings_live_over_tcp(self):
        self.lifecycle('p1', 't1')

    def test_removing_what_is_not_there_is_no_error(self):
        self.play(Flow('p2').register(ONE + ';expires=0', lacks=['Contact']).register('*', expires=0,
                                                                                      lacks=['Contact']))

    def test_several_contacts_in_one_request(self):
        f = Flow('p3')
        f.register(f'{ONE};expires=100, {TWO};expires=200', THREE, expires=300,
                   has=[('Contact', 'expires='), ('Contact', 'expires=', 2), ('Contact', 'expires=', 3)])
        f.register(f'{ONE};expires=0', TWO + ';expires=0', has=[('Contact', THREE + left(300))])
        self.play(f)
        self.assertRegex(self.server.cli('pjsip', 'show', 'contacts'), r'p3/sip:phone@127\.0\.0\.1:10003')

    def test_a_contact_is_found_again_by_comparison_of_uris(self):
        f = Flow('p4')
        f.register('<sip:phone@Example.COM;lr>', expires=100)
        f.register('"A phone" <sip:%70hone@example.com;lr>', expires=200, has=[('Contact', left(200))])
        f.register('<sip:phone@example.com;lr>;expires=0', lacks=['Contact'])
        self.play(f)

    def test_parameters_of_a_contact_come_back(self):
        f = Flow('p5')
        f.register(ONE + ';q=0.3;+sip.instance="<urn:uuid:0000>";audio', expires=100,
                   has=[('Contact', ';q=0.3'), ('Contact', ';.sip.instance="<urn:uuid:0000>"'), ('Contact', ';audio')])
        self.play(f)

    def test_a_star_stands_alone_and_expires_at_once(self):
        f = Flow('p6')
        f.register(ONE, expires=100)
        f.register('*', status=400)
        f.register('*', expires=10, status=400)
        f.register('*', ONE, expires=0, status=400)
        f.send('REGISTER', [f'Contact: *, {ONE}', 'Expires: 0']).expect(400)  # against the grammar already
        f.register('*', '*', expires=0, status=400)
        f.register(has=[('Contact', ONE)])
        self.play(f)
        self.server.wait_log("Failed to validate contacts in REGISTER request from 'p6'")
        self.server.wait_log('SecurityEvent="FailedACL".*AccountID="p6".*ACLName="registrar_invalid_contacts_provided"')

    # ---- order ----

    def test_a_cseq_that_is_not_higher_is_refused_under_the_same_call_id(self):
        f = Flow('p7')
        f.register(ONE, expires=100, cseq=20)
        f.register(ONE, expires=200, cseq=20, status=500)
        f.register(ONE, expires=200, cseq=10, status=500)
        f.register(ONE + ';expires=0', cseq=12, status=500)
        f.register('*', expires=0, cseq=14, status=500)
        f.register(cseq=16, has=[('Contact', ONE + left(100))])
        f.register(ONE, expires=200, cseq=22, has=[('Contact', ONE + left(200))])
        self.play(f)

    def test_another_call_id_counts_by_itself(self):
        f = Flow('p8')
        f.register(ONE, expires=100, cseq=20, call_id='one')
        f.register(ONE, expires=200, cseq=5, call_id='two', has=[('Contact', ONE + left(200))])
        f.register(ONE, expires=300, cseq=5, call_id='two', status=500)
        f.register('*', expires=0, cseq=3, call_id='three', lacks=['Contact'])
        self.play(f)

    def test_an_old_request_changes_nothing_of_what_else_it_asks_for(self):
        f = Flow('p9')
        f.register(ONE, expires=100, cseq=20)
        f.register(TWO, ONE, expires=100, cseq=10, status=500)
        f.register(cseq=30, has=[('Contact', ONE)])
        self.play(f)
        self.assertNotIn('p9/sip:phone@127.0.0.1:10002', self.server.cli('pjsip', 'show', 'contacts'))

    # ---- expiry ----

    def test_expiry_is_clamped_and_has_a_default(self):
        f = Flow('clamped')
        f.register(ONE + ';expires=1', has=[('Contact', left(30))], lacks=['Expires'])
        f.register(ONE + ';expires=100000', has=[('Contact', left(200))])
        f.register(ONE + ';expires=99999999999999999999999', has=[('Contact', left(200))])
        f.register(ONE, has=[('Contact', left(90))], lacks=['Expires'])
        f.register(ONE, expires=1, has=[('Contact', left(30)), ('Expires', '^ *30$')])
        f.register(ONE, expires=100000, has=[('Contact', left(200)), ('Expires', '^ *200$')])
        f.register(ONE + ';expires=120', expires=60, has=[('Contact', left(120))])
        f.register(ONE + ';expires=soon', has=[('Contact', left(200))])  # RFC 3261 section 20.10: like 3600
        f.register(ONE, expires=0, lacks=['Contact'])
        self.play(f)

    def test_the_default_is_clamped_too(self):
        self.play(Flow('zero').register(ONE, has=[('Contact', left(60))]))

    # ---- limits ----

    def test_no_more_than_max_contacts(self):
        f = Flow('two')
        f.register(ONE, TWO, THREE, expires=100, status=403)
        f.register(lacks=['Contact'])
        f.register(ONE, TWO, expires=100)
        f.register(THREE, expires=100, status=403)
        f.register(ONE, expires=200)
        f.register(THREE, ONE + ';expires=0', expires=100, has=[('Contact', 'expires='), ('Contact', 'expires=', 2)])
        self.play(f)
        self.server.wait_log(r"Registration attempt from endpoint 'two' \(127\.0\.0\.1:\d+\) to AOR 'two' will exceed "
                             'max contacts of 2')
        self.server.wait_log('SecurityEvent="FailedACL".*AccountID="two".*'
                             'ACLName="registrar_attempt_exceeds_maximum_configured_contacts"')

    def test_remove_existing_lets_the_one_that_ends_first_give_way(self):
        f = Flow('evict')
        f.register(ONE, expires=300).register(TWO, expires=100)
        f.register(THREE, expires=200, has=[('Contact', '1000[13]'), ('Contact', '1000[13]', 2)])
        self.play(f)
        self.assertNotIn('evict/sip:phone@127.0.0.1:10002', self.server.cli('pjsip', 'show', 'contacts'))

    def test_remove_existing_does_not_let_one_request_exceed(self):
        f = Flow('many')
        f.register(ONE, expires=100)
        f.register(ONE, TWO, THREE, expires=100, status=403)
        f.register(has=[('Contact', ONE)])
        self.play(f)

    def test_remove_unavailable_spares_what_was_never_found_unreachable(self):
        f = Flow('unavailable')
        f.register(ONE, expires=100).register(TWO, expires=100, status=403).register(has=[('Contact', ONE)])
        self.play(f)

    def test_contacts_of_one_request_are_limited(self):
        f = Flow('p10')
        f.register(*[f'<sip:p@127.0.0.1:{10000 + n}>' for n in range(65)], expires=0, status=400)
        f.register(*[f'<sip:p@127.0.0.1:{10000 + n}>' for n in range(64)], expires=0)
        self.play(f)

    # ---- permanent contacts ----

    def test_static_contacts_are_listed_and_stay(self):
        f = Flow('static')
        f.register(has=[('Contact', '<sip:desk@127.0.0.1:10009>$')])
        f.register(ONE, expires=100, has=[('Contact', '(10009>$|expires=)'), ('Contact', '(10009>$|expires=)', 2)])
        f.register(TWO, expires=100, status=403)
        f.register('*', expires=0, has=[('Contact', '<sip:desk@127.0.0.1:10009>$')])
        self.play(f)

    # ---- Path (RFC 3327) ----

    def test_path(self):
        edge, core = '<sip:edge@127.0.0.1:10010;lr>', '<sip:core@127.0.0.1:10011;lr>'
        f = Flow('path')
        f.register(ONE, expires=100, headers=[f'Path: {edge}'], status=420)
        f.register(lacks=['Contact'])
        f.register(ONE, expires=100, headers=[f'Path: {edge}', f'Path: {core}', 'Supported: gruu, path'],
                   has=[('Contact', ONE), ('Path', f'{edge}, *{core}'), ('Supported', 'path')])
        f.register(ONE, expires=200, headers=['Supported: path'], has=[('Contact', left(200))])
        self.play(f)
        self.assertIn('sip:edge@127.0.0.1:10010;lr', self.server.cli('pjsip', 'show', 'contact', f'path/{ONE[1:-1]}'))

    def test_path_is_ignored_where_it_is_not_supported(self):
        f = Flow('nopath')
        f.register(ONE, expires=100, headers=['Path: <sip:edge@127.0.0.1:10010;lr>'], lacks=['Path'],
                   has=[('Contact', ONE)])
        self.play(f)

    # ---- what is checked first (section 7 of pjsip.conf's registrar) ----

    def test_an_endpoint_without_aors_may_not_register(self):
        self.play(Flow('noaor').register(ONE, status=403))
        self.server.wait_log(r"Endpoint 'noaor' \(127\.0\.0\.1:\d+\) has no configured AORs")
        self.server.wait_log('SecurityEvent="FailedACL".*AccountID="noaor".*'
                             'ACLName="registrar_attempt_without_configured_aors"')

    def test_a_to_that_is_no_sip_uri(self):
        self.play(Flow('p11').register(ONE, to='<tel:+15551234>', status=416))
        self.server.wait_log('SecurityEvent="FailedACL".*AccountID="p11".*'
                             'ACLName="registrar_invalid_uri_in_to_received"')

    def test_an_aor_that_is_not_the_endpoints(self):
        self.play(Flow('p11').register(ONE, to='<sip:p10@127.0.0.1>', status=404)
                  .register(ONE, to='<sip:nobody@127.0.0.1>', status=404)
                  .register(ONE, to='<sip:P11@127.0.0.1>', status=404)
                  .register(ONE, to='<sip:127.0.0.1>', status=404))
        self.server.wait_log(r"AOR 'nobody' not found for endpoint 'p11' \(127\.0\.0\.1:\d+\)")
        self.server.wait_log('SecurityEvent="RequestNotSupported".*AccountID="p11".*'
                             'RequestType="registrar_requested_aor_not_found"')

    def test_max_contacts_0_forbids_registration(self):
        self.play(Flow('closed').register(ONE, status=403).register(status=403))
        self.server.wait_log(r"AOR 'closed' has no configured max_contacts\. Endpoint 'closed' \(127\.0\.0\.1:\d+\) "
                             'unable to register')
        self.server.wait_log('SecurityEvent="RequestNotSupported".*AccountID="closed".*'
                             'RequestType="registrar_attempt_without_registration_permitted"')

    def test_a_contact_too_long(self):
        f = Flow('p11')
        f.register(f'<sip:{"x" * 500}@127.0.0.1:10001>', expires=100, status=400)
        f.register(f'<sip:x@{"a" * 60}.{"b" * 60}.{"c" * 60}.{"d" * 60}.{"e" * 20}:5060>', expires=100, status=400)
        self.play(f)

    def test_contacts_that_are_no_sip_uris(self):
        # Before any challenge: nobody could be reached there, whoever asks.
        f = Flow('p11')
        f.send('REGISTER', ['Contact: <tel:+15551234>', 'Expires: 100']).expect(400)
        f.send('REGISTER', ['Contact: <mailto:a@example.com>', 'Expires: 100']).expect(400)
        self.play(f)

    def test_the_aor_is_found_by_user_by_domain_and_by_alias(self):
        f = Flow('multi')
        f.register(ONE, to='<sip:first@anywhere.example>', expires=100, has=[('Contact', ONE)])
        f.register(TWO, to='<sip:second@example.com>', expires=100, has=[('Contact', TWO)])
        f.register(to='<sip:second@alias.example.net>', has=[('Contact', TWO)])
        f.register(to='<sip:second@example.org>', status=404)
        self.play(f)

    # ---- requests repeated ----

    def test_a_retransmission_is_answered_once_done(self):
        with harness.Phone(self.server, 'case') as phone:
            challenge = phone.ask('REGISTER', to='<sip:case@127.0.0.1>').get('WWW-Authenticate')
            data = phone.request('REGISTER', headers=[
                f'Contact: {ONE}', 'Expires: 100',
                'Authorization: ' + harness.credentials(challenge, 'REGISTER', 'sip:127.0.0.1', 'case', 'secret')],
                to='<sip:case@127.0.0.1>')
            phone.send(data)
            first = phone.final()
            phone.send(data)
            again = phone.final()
            self.assertEqual((first.status, first.data), (200, again.data))


if __name__ == '__main__':
    harness.main()
