"""A real phone that knows SHA-256: linphone."""
import harness
from harness import ServerTest, TRANSPORTS, phone_sections, wait_for
from phones import Linphone


class LinphoneTest(ServerTest):
    SHA256 = 'supported_algorithms_uas=SHA-256'
    pjsip = (TRANSPORTS + phone_sections('alice', auth=SHA256) + phone_sections('carol', auth=SHA256) +
             phone_sections('both', auth='supported_algorithms_uas=SHA-256,MD5'))

    def phone(self, user, password, transport):
        phone = Linphone(user, password, self.server.ports[transport], transport)
        self.addCleanup(phone.quit)
        return phone

    def registers(self, user, transport):
        phone = self.phone(user, 'secret', transport)
        self.assertTrue(wait_for(lambda: f'{user}/sip:{user}@' in self.server.cli('pjsip', 'show', 'contacts')),
                        phone.text())
        self.assertTrue(wait_for(lambda: '200' in phone.answers()), phone.text())
        self.assertRegex(phone.text(), r'Authorization:.*algorithm=SHA-256.*response="[0-9a-f]{64}"')

    def test_registers_with_sha_256_over_udp(self):
        self.registers('alice', 'udp')

    def test_registers_with_sha_256_over_tcp(self):
        self.registers('carol', 'tcp')

    def test_takes_the_better_one_of_two_challenges(self):
        self.registers('both', 'udp')

    def test_a_wrong_password_is_refused(self):
        mark = len(self.server.log)
        phone = self.phone('alice', 'wrong', 'udp')
        self.server.wait_log(r"Request 'REGISTER' .*sip:alice@.* - Failed to authenticate", after=mark)
        self.assertNotIn('200', phone.answers())


if __name__ == '__main__':
    harness.main()
