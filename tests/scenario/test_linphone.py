"""A real phone that knows SHA-256: linphone."""
import os
import re
import shutil
import subprocess
import tempfile

import harness
from harness import ServerTest, TRANSPORTS, phone_sections, wait_for

RC = """[sip]
sip_port=-1
sip_tcp_port=-1
bind_address=127.0.0.1
guess_hostname=0
contact=sip:{user}@127.0.0.1
register_only_when_network_is_up=0
auto_net_state_mon=0
use_ipv6=0
[net]
firewall_policy=0
[auth_info_0]
username={user}
passwd={password}
realm=asterisk
algorithm=SHA-256
[proxy_0]
reg_proxy=<sip:127.0.0.1:{port};transport={transport}>
reg_identity=sip:{user}@127.0.0.1:{port}
reg_expires=60
reg_sendregister=1
publish=0
"""


class Linphone:
    def __init__(self, user, password, port, transport):
        self.home = tempfile.mkdtemp(prefix='linphone-')
        self.log = os.path.join(self.home, 'log')
        os.makedirs(os.path.join(self.home, '.local', 'share', 'linphone'))
        rc = os.path.join(self.home, 'rc')
        with open(rc, 'w') as f:
            f.write(RC.format(user=user, password=password, port=port, transport=transport))
        self.process = subprocess.Popen(['linphonec', '-c', rc, '-d', '6', '-l', self.log],
                                        env=dict(os.environ, HOME=self.home, PULSE_RUNTIME_PATH=self.home),
                                        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def text(self):
        try:
            with open(self.log, errors='replace') as f:
                return f.read()
        except FileNotFoundError:
            return ''

    def answers(self):
        return re.findall(r'^SIP/2\.0 (\d+) ', self.text(), re.M)

    def quit(self):
        try:
            self.process.stdin.write(b'quit\n')
            self.process.stdin.close()
            self.process.wait(harness.DEADLINE)
        except (BrokenPipeError, ValueError, subprocess.TimeoutExpired):
            pass
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


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
