"""A real phone: baresip registers over UDP and TCP, is refused with a wrong password, and takes its binding back."""
import os
import unittest

import harness
from harness import SOURCE, Server, ServerTest, TRANSPORTS, phone_sections, wait_for
from phones import Baresip


def contacts(server):
    return server.cli('pjsip', 'show', 'contacts')


class BaresipTest(ServerTest):
    pjsip = TRANSPORTS + phone_sections('alice') + phone_sections('carol')

    def phone(self, user, password, transport):
        port = self.server.ports[transport]
        b = Baresip(f'<sip:{user}@127.0.0.1:{port};transport={transport}>;auth_user={user};auth_pass={password};'
                    'regint=60')
        self.addCleanup(b.remove)
        return b

    def registers(self, user, transport):
        b = self.phone(user, 'secret', transport)
        self.assertTrue(wait_for(lambda: '200' in b.answers()), b.text())
        self.assertEqual(b.answers()[0], '401')
        self.assertRegex(contacts(self.server), rf'Contact:\s+{user}/sip:{user}[^\s]*@127\.0\.0\.1:\d+')
        self.assertEqual(b.quit(), 0, b.text())
        self.assertTrue(wait_for(lambda: f'{user}/sip:' not in contacts(self.server)),
                        'its binding stayed:\n' + b.text())

    def refused(self, transport):
        mark = len(self.server.log)
        b = self.phone('alice', 'wrong', transport)
        self.server.wait_log(r"Request 'REGISTER' from '<sip:alice@.*' failed for '127\.0\.0\.1:\d+' "
                             r'\(callid: .*\) - Failed to authenticate', after=mark)
        self.assertTrue(wait_for(lambda: len(b.answers()) >= 2), b.text())
        self.assertEqual(set(b.answers()), {'401'})
        self.assertNotIn('alice/sip:', contacts(self.server))
        self.assertEqual(b.quit(), 0, b.text())

    def test_registers_over_udp(self):
        self.registers('carol', 'udp')

    def test_registers_over_tcp(self):
        self.registers('carol', 'tcp')

    def test_a_wrong_password_is_refused_over_udp(self):
        self.refused('udp')

    def test_a_wrong_password_is_refused_over_tcp(self):
        self.refused('tcp')


class SampleConfiguration(unittest.TestCase):
    """What stands in etc/, on ports of its own."""

    @classmethod
    def setUpClass(cls):
        files = {}
        for name in ('pjsip.conf', 'modules.conf', 'res_sip.conf'):
            with open(os.path.join(SOURCE, 'etc', name)) as f:
                files[name] = f.read()
        parts = files['pjsip.conf'].split('bind = 127.0.0.1:5060')
        assert len(parts) == 3, 'the sample has a UDP and a TCP transport on port 5060'
        files['pjsip.conf'] = f'{parts[0]}bind = 127.0.0.1:@UDP@{parts[1]}bind = 127.0.0.1:@TCP@{parts[2]}'
        cls.server = Server(files=files).start()

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        cls.server.remove()
        assert status == 0, '\n'.join(cls.server.log[-40:])

    def test_both_phones_register(self):
        for user, password, transport in (('alice', 'wonderland', 'udp'), ('bob', 'builder', 'tcp')):
            port = self.server.ports[transport]
            b = Baresip(f'<sip:{user}@127.0.0.1:{port};transport={transport}>;auth_user={user};auth_pass={password};'
                        'regint=60')
            self.addCleanup(b.remove)
            self.assertTrue(wait_for(lambda: '200' in b.answers()), b.text())
            self.assertIn(f'{user}/sip:{user}', contacts(self.server))
            self.assertEqual(b.quit(), 0, b.text())


if __name__ == '__main__':
    harness.main()
