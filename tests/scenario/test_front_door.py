"""The daemon and the client as an operator meets them: options, exit statuses, signals, commands."""
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import tempfile
import unittest

import harness
from harness import Phone, Server, TRANSPORTS, phone_sections, wait_for

PJSIP = TRANSPORTS + phone_sections('alice', password='hunter2', endpoint='callerid=Alice <100>') + phone_sections('bob') + """
[anonymous]
type=endpoint

[trunk]
type=identify
endpoint=anonymous
match=192.0.2.0/24
match=!192.0.2.7
"""
MODULES_CONF = '[modules]\nautoload=yes\n'


def daemon(*args):
    return subprocess.run([harness.DAEMON, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=harness.DEADLINE * 2)


class Starting(unittest.TestCase):
    def setUp(self):
        self.server = Server(PJSIP, {'modules.conf': MODULES_CONF})

    def tearDown(self):
        self.server.stop()
        self.server.remove()

    def check(self):
        return daemon('--check', '-c', self.server.conf, '-m', self.server.modules)

    def test_the_ready_line_names_the_listeners(self):
        self.server.start()
        self.assertRegex(self.server.ready_line, r'^res_sipd \S+ ready: ')
        for part in (f'udp 127.0.0.1:{self.server.ports["udp"]}', f'tcp 127.0.0.1:{self.server.ports["tcp"]}',
                     '(3 endpoints, '):
            self.assertIn(part, self.server.ready_line)
        with Phone(self.server, 'x', transport='tcp') as phone:
            self.assertEqual(phone.ask('OPTIONS').status, 200)

    def test_sigterm_and_sigint_end_it_with_0(self):
        for sig in (signal.SIGTERM, signal.SIGINT):
            self.server.start()
            self.assertEqual(self.server.stop(sig), 0)
            self.assertFalse(os.path.exists(os.path.join(self.server.state, 'res_sip.ctl')))

    def test_core_stop_ends_it_with_0(self):
        for how in ([], ['gracefully'], ['now']):
            self.server.start()
            self.server.cli('core', 'stop', *how)
            self.server.process.wait(harness.DEADLINE * 2)
            self.assertEqual(self.server.stop(), 0)

    def test_a_right_configuration_checks_with_0(self):
        r = self.check()
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertFalse(os.path.exists(self.server.state))

    def test_every_error_is_printed_with_its_place(self):
        self.server.write('pjsip.conf', PJSIP + '\n[carol]\ntype=endpoint\nrewrite_contcat=yes\nforce_rport=perhaps\n')
        lines = PJSIP.count('\n') + 1
        for r in (self.check(), daemon('-c', self.server.conf, '-d', self.server.state, '-m', self.server.modules)):
            self.assertEqual(r.returncode, 2, r.stderr)
            self.assertRegex(r.stderr, rf"(?m)^\S*pjsip.conf:{lines + 3}: .*rewrite_contcat.*rewrite_contact")
            self.assertRegex(r.stderr, rf"(?m)^\S*pjsip.conf:{lines + 4}: .*perhaps")

    def test_modules_conf_is_checked_too(self):
        self.server.write('modules.conf', '[modules]\nautoload=yes\nload=chan_dahdi.so\nrequire=res_pjsip_nonsense\n')
        r = self.check()
        self.assertEqual(r.returncode, 2)
        self.assertRegex(r.stderr, r'(?m)^\S*modules.conf:3: warning: there is no module chan_dahdi$')
        self.assertRegex(r.stderr, r'(?m)^\S*modules.conf:4: there is no module res_sip_nonsense, and it is required$')
        r = daemon('-c', self.server.conf, '-d', self.server.state, '-m', self.server.modules)
        self.assertEqual(r.returncode, 2, r.stderr)

    def test_a_missing_module_is_no_reason_to_stay_down(self):
        self.server.write('modules.conf', '[modules]\nautoload=yes\nload=chan_dahdi.so\n')
        self.server.start()
        self.assertTrue(self.server.wait_log(r'modules.conf:3: there is no module chan_dahdi'))

    def test_asterisks_modules_conf_serves(self):
        self.server.write('modules.conf', """[modules]
autoload = no
preload = res_sorcery_config.so
require = res_pjproject.so
require = res_pjsip.so
load = res_pjsip_endpoint_identifier_user.so
load = res_pjsip_endpoint_identifier_ip.so
load = res_pjsip_endpoint_identifier_anonymous.so
load = res_pjsip_authenticator_digest.so
load = res_pjsip_registrar.so
noload = chan_sip.so
""")
        self.server.start()
        self.assertEqual(self.server.cli('pjsip', 'show', 'identifiers', as_json=True)['identifiers'],
                         ['username', 'auth_username', 'ip', 'header', 'request_uri', 'anonymous'])
        with Phone(self.server, 'alice', 'hunter2') as phone:
            self.assertEqual(phone.register().status, 200)
            self.assertEqual(phone.ask_authenticated('OPTIONS').status, 200)

    def test_a_second_server_on_one_state_folder_is_refused(self):
        self.server.start()
        r = daemon('-c', self.server.conf, '-d', self.server.state, '-m', self.server.modules)
        self.assertEqual(r.returncode, 1)
        self.assertIn(f'another server (process {self.server.process.pid}) runs on the state folder', r.stderr)
        self.server.cli('core', 'show', 'uptime')

    def test_a_killed_server_leaves_nothing_in_the_way(self):
        self.server.start()
        self.server.stop(signal.SIGKILL)
        self.assertTrue(os.path.exists(os.path.join(self.server.state, 'res_sip.ctl')))
        self.server.start()
        self.server.cli('core', 'show', 'uptime')

    def test_a_port_in_use_is_named(self):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            s.bind(('127.0.0.1', 0))
            s.listen()
            self.server.write('pjsip.conf', PJSIP.replace('@TCP@', str(s.getsockname()[1])))
            r = daemon('-c', self.server.conf, '-d', self.server.state, '-m', self.server.modules)
        self.assertEqual(r.returncode, 1)
        self.assertIn('in use', r.stderr)

    def test_the_socket_may_lie_elsewhere(self):
        elsewhere = os.path.join(self.server.folder, 'elsewhere.ctl')
        self.server.start(args=['-s', elsewhere])
        r = subprocess.run([harness.CLIENT, '-s', elsewhere, 'core', 'show', 'version'], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=harness.DEADLINE)
        self.assertEqual(r.returncode, 0, r.stderr)
        r = subprocess.run([harness.CLIENT, 'core', 'show', 'version'], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, timeout=harness.DEADLINE, env=dict(os.environ, RES_SIP_SOCKET=elsewhere))
        self.assertEqual(r.returncode, 0, r.stderr)

    def test_a_wrong_command_line_is_64(self):
        for args in ([], ['-c'], ['-c', self.server.conf, 'more'], ['--nonsense']):
            self.assertEqual(daemon(*args).returncode, 64, args)
        self.assertEqual(daemon('--help').returncode, 0)
        self.assertRegex(daemon('--version').stdout, r'^res_sipd \d+\.\d+\.\d+$')

    def test_systemd_is_told(self):
        path = os.path.join(self.server.folder, 'notify')
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(path)
            s.settimeout(harness.DEADLINE)
            os.environ['NOTIFY_SOCKET'] = path
            try:
                self.server.start()
            finally:
                del os.environ['NOTIFY_SOCKET']
            self.assertRegex(s.recv(4096).decode(), r'^READY=1\nSTATUS=res_sipd .* ready')
            self.server.process.send_signal(signal.SIGHUP)
            self.assertRegex(s.recv(4096).decode(), r'^RELOADING=1\nMONOTONIC_USEC=\d+$')
            self.assertRegex(s.recv(4096).decode(), r'^READY=1\n')
            self.assertEqual(self.server.stop(), 0)
            self.assertEqual(s.recv(4096).decode(), 'STOPPING=1')


class Reloading(unittest.TestCase):
    def setUp(self):
        self.server = Server(PJSIP, {'modules.conf': MODULES_CONF}).start()

    def tearDown(self):
        self.assertEqual(self.server.stop(), 0)
        self.server.remove()

    def endpoints(self):
        return [e['id'] for e in self.server.cli('pjsip', 'list', 'endpoints', as_json=True)['endpoints']]

    def test_sighup_takes_up_a_new_endpoint(self):
        self.server.write('pjsip.conf', PJSIP + phone_sections('carol'))
        self.server.process.send_signal(signal.SIGHUP)
        self.assertTrue(wait_for(lambda: 'carol' in self.endpoints()))

    def test_a_broken_file_changes_nothing(self):
        self.server.write('pjsip.conf', PJSIP.replace('[bob]', '[robert]') + '\n[x]\ntype=endpoint\naors=nobody\n')
        r = self.server.cli('pjsip', 'reload', check=False)
        self.assertEqual(r.returncode, 1)
        self.assertRegex(r.stderr, r'pjsip.conf:\d+: ')
        self.assertIn('bob', self.endpoints())
        self.assertNotIn('robert', self.endpoints())
        self.server.process.send_signal(signal.SIGHUP)
        self.server.wait_log(r'reload.refused')
        self.assertIn('bob', self.endpoints())


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(PJSIP, {'modules.conf': MODULES_CONF}).start()
        cls.phone = Phone(cls.server, 'alice', 'hunter2')
        assert cls.phone.register().status == 200

    @classmethod
    def tearDownClass(cls):
        cls.phone.close()
        status = cls.server.stop()
        cls.server.remove()
        assert status == 0, '\n'.join(cls.server.log[-40:])

    def test_endpoints_have_their_children(self):
        text = self.server.cli('pjsip', 'show', 'endpoints')
        self.assertRegex(text, r'(?m)^ Endpoint:  alice/100 +Not in use +0 of inf$')
        self.assertRegex(text, r'(?m)^ Endpoint:  bob +Unavailable +0 of inf$')
        self.assertRegex(text, r'(?m)^     InAuth:  alice/alice$')
        self.assertRegex(text, r'(?m)^        Aor:  alice +5$')
        self.assertRegex(text, rf'(?m)^      Contact:  alice/sip:alice@127.0.0.1:{self.phone.address[1]} +[0-9a-f]{{10}} NonQual +nan$')
        self.assertRegex(text, r'(?m)^   Identify:  trunk/anonymous$')
        self.assertRegex(text, r'(?m)^        Match:  !192.0.2.7/32$')
        self.assertIn('\nObjects found: 3\n', text)
        listed = self.server.cli('pjsip', 'list', 'endpoints')
        self.assertNotIn('Aor:', listed)
        self.assertEqual(self.server.cli('pjsip', 'show', 'endpoints', 'like', '^ali').count(' Endpoint:  '), 2)

    def test_one_object_has_all_its_options(self):
        for what, name, option in (('endpoint', 'alice', 'rewrite_contact'), ('aor', 'alice', 'max_contacts'),
                                   ('auth', 'alice', 'username'), ('transport', 'udp', 'bind'),
                                   ('identify', 'trunk', 'match'),
                                   ('contact', f'alice/sip:alice@127.0.0.1:{self.phone.address[1]}', 'call_id')):
            text = self.server.cli('pjsip', 'show', what, name)
            self.assertRegex(text, r'(?m)^ ParameterName +: ParameterValue$', what)
            names = re.findall(r'(?m)^ (\w+) +: ', text[text.index('====\n 100rel') if '====\n 100rel' in text else 0:])
            self.assertIn(option, names, what)
            self.assertIn(option, self.server.cli('pjsip', 'show', what, name, as_json=True)['options'])
            r = self.server.cli('pjsip', 'show', what, 'nobody', check=False)
            self.assertEqual((r.returncode, r.stderr), (1, 'Unable to find object nobody.\n'))

    def test_no_password_is_shown(self):
        for words in (('show', 'auth', 'alice'), ('show', 'auths'), ('show', 'endpoint', 'alice')):
            self.assertNotIn('hunter2', self.server.cli('pjsip', *words))
            self.assertNotIn('hunter2', json.dumps(self.server.cli('pjsip', *words, as_json=True)))

    def test_every_show_command_has_json(self):
        lines = self.server.cli('help', as_json=True)['commands']
        shows = [re.sub(r' [<\[].*', '', re.split(r'  +', line)[0]).strip() for line in lines if ' show' in line]
        self.assertGreater(len(shows), 15)
        for path in shows:
            words = path.replace('list|show', 'show').split()
            if words[-1] in ('endpoint', 'aor', 'auth', 'transport', 'identify', 'contact'):
                continue
            tree = self.server.cli(*words, as_json=True)
            self.assertNotEqual(tree, {'ok': True}, f'{path} prints no JSON')

    def test_nothing_found_says_so(self):
        self.assertEqual(self.server.cli('pjsip', 'show', 'endpoints', 'like', 'zzz').strip(), 'No objects found.')
        self.assertEqual(self.server.cli('pjsip', 'show', 'endpoints', 'like', '(', check=False).returncode, 1)

    def test_a_wrong_command_says_what_was_meant(self):
        r = self.server.cli('pjsip', 'show', 'endpionts', check=False)
        self.assertEqual(r.returncode, 1)
        self.assertIn("Did you mean 'endpoints'?", r.stderr)

    def test_without_a_server_it_fails(self):
        r = subprocess.run([harness.CLIENT, '-s', '/nonexistent/res_sip.ctl', 'help'], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=harness.DEADLINE)
        self.assertEqual(r.returncode, 1)
        self.assertIn('no server at /nonexistent/res_sip.ctl', r.stderr)

    def test_commands_come_from_a_pipe_too(self):
        r = subprocess.run([harness.CLIENT, '-s', os.path.join(self.server.state, 'res_sip.ctl')],
                           input='core show version\npjsip show endpoints like "^bob$"\nnonsense\nexit\n',
                           capture_output=True, text=True, timeout=harness.DEADLINE)
        self.assertEqual(r.returncode, 1)
        self.assertIn('Objects found: 1', r.stdout)
        self.assertIn("No such command 'nonsense'", r.stderr)

    def test_a_terminal_has_completion_and_history(self):
        state = tempfile.mkdtemp(dir=self.server.folder)
        master, slave = pty.openpty()
        client = subprocess.Popen([harness.CLIENT, '-s', os.path.join(self.server.state, 'res_sip.ctl')], stdin=slave,
                                  stdout=slave, stderr=slave, env=dict(os.environ, XDG_STATE_HOME=state, TERM='xterm'))
        os.close(slave)
        text = b''

        def expect(what):
            nonlocal text
            while what not in text:
                if not select.select([master], [], [], harness.DEADLINE)[0]:
                    break
                text += os.read(master, 4096)
            self.assertIn(what, text)
            text = text[text.index(what) + len(what):]

        try:
            expect(b'res_sip> ')
            os.write(master, b'pjsip show endpoint al\t')
            expect(b'ice ')
            os.write(master, b'\n')
            expect(b'ParameterName')
            expect(b'res_sip> ')
            os.write(master, b'exit\n')
            self.assertEqual(client.wait(harness.DEADLINE), 0)
        finally:
            client.kill()
            client.wait()
            os.close(master)
        with open(os.path.join(state, 'res_sip', 'history')) as f:
            self.assertIn('alice', f.read())

    def test_options_answer_by_who_is_asked(self):
        with Phone(self.server, 'x') as phone:
            for uri, status in (('sip:127.0.0.1', 200), ('sip:alice@127.0.0.1', 200), ('sip:%61lice@127.0.0.1', 200),
                                ('sip:nobody@127.0.0.1', 404), ('sip:' + 'n' * 300 + '@127.0.0.1', 404)):
                answer = phone.ask('OPTIONS', uri)
                self.assertEqual(answer.status, status, uri)
                for header in ('Allow', 'Accept', 'Accept-Encoding', 'Accept-Language'):
                    self.assertIsNotNone(answer.get(header), header)
            for uri, status in (('sip:127.0.0.1', 200), ('sip:alice@127.0.0.1', 483)):
                request = phone.request('OPTIONS', uri).replace(b'Max-Forwards: 70', b'Max-Forwards: 0')
                phone.send(request)
                self.assertEqual(phone.final().status, status, uri)
            self.assertIn('REGISTER', answer.get('Allow'))


if __name__ == '__main__':
    harness.main()
