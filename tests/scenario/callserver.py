"""What the tests of calls share: endpoints without passwords, connected calls, and the records that calls leave."""
import json
import os

from legs import ANSWER, OFFER, LegPhone
from harness import ServerTest, TRANSPORTS, wait_for


def endpoint_sections(name, endpoint='', aor='max_contacts=5'):
    """An endpoint that is known by its From alone, and its AOR."""
    return f'\n[{name}]\ntype=endpoint\naors={name}\n{endpoint}\n\n[{name}]\ntype=aor\n{aor}\n'


def endpoints(*names, **kw):
    return ''.join(endpoint_sections(name, **kw) for name in names)


def read_records(server, name='calls.json'):
    """What has been written of calls so far, whole lines only."""
    try:
        with open(os.path.join(server.state, name)) as f:
            return [json.loads(line) for line in f if line.endswith('\n')]
    except FileNotFoundError:
        return []


class CallTest(ServerTest):
    """A server for calls. When the tests are over, no call is left in it."""
    pjsip = TRANSPORTS + endpoints('alice', 'bob', 'carol', 'dave')
    files = {}

    @classmethod
    def tearDownClass(cls):
        try:
            wait_for(lambda: cls.server.cli('calls', 'show', as_json=True) == [])
            left = cls.server.cli('calls', 'show')
        finally:
            super().tearDownClass()
        if not left.startswith('0 calls'):
            raise AssertionError(f'calls are left:\n{left}')

    def phone(self, user, registered=True, q=None, **kw):
        phone = LegPhone(self.server, user, **kw)
        self.addCleanup(phone.close)
        if registered:
            contact = phone.contact + (f';q={q}' if q else '')
            answer = phone.register([contact], expires=600)
            self.assertEqual(answer.status, 200, answer)
            self.addCleanup(phone.register, [phone.contact], expires=0)
        return phone

    def register(self, user, port, q=None, transport='udp'):
        """A contact for a peer that does not register by itself (SIPp)."""
        contact = f'<sip:{user}@127.0.0.1:{port}' + (';transport=tcp>' if transport == 'tcp' else '>')
        with LegPhone(self.server, user, transport=transport) as phone:
            answer = phone.register([contact + (f';q={q}' if q else '')], expires=600)
            self.assertEqual(answer.status, 200, answer)
        self.addCleanup(self.forget, user, contact)

    def forget(self, user, contact):
        with LegPhone(self.server, user) as phone:
            phone.register([contact], expires=0)

    def two(self, a='alice', b='bob', **kw):
        return self.phone(a, registered=False, **kw), self.phone(b)

    def ring(self, a, b, to=None, headers=(), body=OFFER, **kw):
        """A calls B, whose phone rings: both legs."""
        leg = a.call(to or b.user, body, headers, **kw)
        other = b.incoming()
        self.assertEqual(other.invite.body, body)
        other.answer(180)
        leg.expect(180)
        return leg, other

    def connect(self, a, b, to=None, headers=(), answer=ANSWER, **kw):
        """A and B talk: both legs, confirmed."""
        leg, other = self.ring(a, b, to, headers, **kw)
        other.answer(200, body=answer)
        ok = leg.expect(200)
        self.assertEqual(ok.body, answer)
        leg.ack(ok)
        other.expect('ACK')
        return leg, other

    def hang_up(self, leg, other):
        """The first one hangs up."""
        bye = leg.send('BYE')
        other.hung_up()
        self.assertEqual(leg.final(bye).status, 200)

    def record(self, leg):
        """The record of a call, by the Call-ID of one of its legs."""
        find = lambda: [r for r in read_records(self.server)
                        if leg.call_id in (r['caller_call_id'], r['callee_call_id'])]
        self.assertTrue(wait_for(find), f'no record has {leg.call_id}: {read_records(self.server)}')
        self.assertEqual(len(find()), 1, find())
        return find()[0]

    def setUp(self):
        self.records_before = len(read_records(self.server))

    def recorded(self, count, **fields):
        """So many calls have ended since the test began, and their records say this."""
        new = lambda: read_records(self.server)[self.records_before:]
        wait_for(lambda: len(new()) >= count)
        self.assertEqual(len(new()), count, new())
        for record in new():
            self.assertEqual({k: record[k] for k in fields}, fields, record)
