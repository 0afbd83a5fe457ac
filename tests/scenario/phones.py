"""Real phones that tests drive: baresip by its control socket, linphone by its console. Each in its own folder."""
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading

import harness
from audio import Recording
from harness import free_port, wait_for

BARESIP_MODULES = next((d for d in ('/usr/lib/baresip/modules', '/usr/lib64/baresip/modules',
                                    '/usr/local/lib/baresip/modules') if os.path.isdir(d)),
                       '/usr/lib/baresip/modules')
BARESIP_CONFIG = f"""sip_listen 127.0.0.1:0
net_interface 127.0.0.1
module_path {BARESIP_MODULES}
module account.so
module menu.so
module stdio.so
"""
# What it plays goes into a pipe, by ALSA without any hardware.
BARESIP_CALLS = """module g711.so
module alsa.so
module aufile.so
module aubridge.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:@CONTROL@
audio_path @FOLDER@
audio_source @SOURCE@
audio_player alsa,heard
audio_alert aubridge,alert
audio_buffer 400
ringback_disabled yes
menu_bell no
call_local_timeout 120
call_max_calls @CALLS@
jitter_buffer_delay 1-5
"""
ALSA = """pcm.heard {
	type file
	slave.pcm { type null }
	file "@FOLDER@/heard"
	format raw
}
"""


class Baresip:
    """A baresip with one account; its output is gathered in a file."""

    def __init__(self, account, config=BARESIP_CONFIG):
        self.folder = tempfile.mkdtemp(prefix='baresip-')
        for name, text in (('config', config), ('accounts', account + '\n'), ('contacts', ''), ('alsa', ALSA)):
            with open(os.path.join(self.folder, name), 'w') as f:
                f.write(text.replace('@FOLDER@', self.folder))
        self.output = open(os.path.join(self.folder, 'output'), 'w')
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ['baresip', '-f', self.folder, '-s'], stdin=subprocess.PIPE, stdout=self.output, stderr=subprocess.STDOUT,
            env=dict(os.environ, ALSA_CONFIG_PATH=os.path.join(self.folder, 'alsa')))

    def text(self):
        with open(os.path.join(self.folder, 'output'), errors='replace') as f:
            return f.read()

    def answers(self):
        """The status lines that it received, in order."""
        return re.findall(r'^SIP/2\.0 (\d+) ', self.text(), re.M)

    def quit(self):
        """Its own `q` command; the exit status."""
        if self.process.poll() is None:
            self.process.stdin.write(b'q')
            self.process.stdin.close()
        try:
            status = self.process.wait(harness.DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.output.close()
        return status

    def remove(self):
        if not self.output.closed:
            self.quit()
        shutil.rmtree(self.folder, ignore_errors=True)


class BaresipPhone(Baresip):
    """A baresip that calls: sends the tone of a WAV file, records what it hears, tells its events."""

    def __init__(self, user, password, port, transport='udp', tone=None, max_calls=4, options=''):
        self.user, self.port, self.transport = user, port, transport
        self.control = free_port(socket.SOCK_STREAM)
        config = BARESIP_CONFIG + BARESIP_CALLS
        for name, value in (('@CONTROL@', self.control), ('@CALLS@', max_calls),
                            ('@SOURCE@', f'aufile,{tone}' if tone else 'aubridge,in')):
            config = config.replace(name, str(value))
        account = (f'<sip:{user}@127.0.0.1:{port};transport={transport}>;auth_user={user};auth_pass={password};'
                   f'regint=60{options}')
        self.heard = None
        super().__init__(account, config)
        self.events, self.replies = [], {}
        self.changed = threading.Condition()
        self.tokens = 0
        self.sock = wait_for(self._connect)
        if not self.sock:
            text = self.text()
            self.remove()
            raise AssertionError('baresip listens to nobody:\n' + text[-2000:])
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def start(self):
        self.heard = Recording(os.path.join(self.folder, 'heard'))
        super().start()

    def _connect(self):
        try:
            return socket.create_connection(('127.0.0.1', self.control))
        except ConnectionError:
            return None

    def _read(self):
        data = b''
        while True:
            head, sep, rest = data.partition(b':')
            if sep and len(rest) > int(head):
                self._take(json.loads(rest[:int(head)].decode('utf-8', 'replace')))
                data = rest[int(head) + 1:]
                continue
            try:
                more = self.sock.recv(65536)
            except OSError:
                return
            if not more:
                return
            data += more

    def _take(self, value):
        with self.changed:
            if value.get('event'):
                self.events.append(value)
            else:
                self.replies[value.get('token')] = value
            self.changed.notify_all()

    def command(self, name, params=''):
        """A command of its menu by its long name; what it said to it."""
        self.tokens += 1
        token = str(self.tokens)
        data = json.dumps({'command': name, 'params': params, 'token': token}).encode()
        self.sock.sendall(b'%d:%s,' % (len(data), data))
        with self.changed:
            self.changed.wait_for(lambda: token in self.replies, harness.DEADLINE)
            return self.replies.pop(token, {}).get('data', '')

    def event(self, kind, seconds=None):
        """The next event of that kind, waited for and taken."""
        with self.changed:
            self.changed.wait_for(lambda: any(e['type'] == kind for e in self.events), seconds or harness.DEADLINE)
            for i, e in enumerate(self.events):
                if e['type'] == kind:
                    return self.events.pop(i)
        raise AssertionError(f'{self.user}: no {kind}; waiting are {[e["type"] for e in self.events]}:\n'
                             + self.text()[-6000:])

    def has(self, kind):
        with self.changed:
            return any(e['type'] == kind for e in self.events)

    def registered(self):
        if not wait_for(lambda: '200' in self.answers()):
            raise AssertionError(f'{self.user} is not registered:\n' + self.text()[-4000:])
        return self

    def uri(self, user):
        return f'sip:{user}@127.0.0.1:{self.port}'  # it adds the transport of its account

    def dial(self, user):
        return self.command('dial', self.uri(user))

    def quit(self):
        sock = getattr(self, 'sock', None)
        if sock:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        status = super().quit()
        self.heard.close()
        return status


LINPHONE_RC = """[sip]
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
algorithm={algorithm}
[proxy_0]
reg_proxy=<sip:127.0.0.1:{port};transport={transport}>
reg_identity=sip:{user}@127.0.0.1:{port}
reg_expires=60
reg_sendregister=1
publish=0
"""
LINPHONE_CALLS = """[rtp]
audio_rtp_port=-1
video_rtp_port=-1
"""


class Linphone:
    def __init__(self, user, password, port, transport, algorithm='SHA-256', extra=''):
        self.home = tempfile.mkdtemp(prefix='linphone-')
        self.log = os.path.join(self.home, 'log')
        self.user, self.port, self.transport = user, port, transport
        os.makedirs(os.path.join(self.home, '.local', 'share', 'linphone'))
        rc = os.path.join(self.home, 'rc')
        with open(rc, 'w') as f:
            f.write(LINPHONE_RC.format(user=user, password=password, port=port, transport=transport,
                                       algorithm=algorithm) + extra)
        self.output = open(os.path.join(self.home, 'output'), 'wb')
        self.process = subprocess.Popen(['linphonec', '-c', rc, '-d', '6', '-l', self.log],
                                        env=dict(os.environ, HOME=self.home, PULSE_RUNTIME_PATH=self.home),
                                        stdin=subprocess.PIPE, stdout=self.output, stderr=subprocess.STDOUT)

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
        self.output.close()
        shutil.rmtree(self.home, ignore_errors=True)


class LinphonePhone(Linphone):
    """A linphone that calls, with files for a sound card."""

    def __init__(self, user, password, port, transport='udp', tone=None):
        super().__init__(user, password, port, transport, 'MD5', LINPHONE_CALLS)
        self.mark = 0
        self.say('soundcard use files')
        if tone:
            self.say(f'play {tone}')

    def say(self, line):
        """A line of its console; what it prints from here on is waited for."""
        self.mark = len(self.console())
        self.process.stdin.write(line.encode() + b'\n')
        self.process.stdin.flush()

    def console(self):
        with open(os.path.join(self.home, 'output'), errors='replace') as f:
            return f.read()

    def wait(self, pattern):
        """What its console says, from the last match or the last line that was typed on."""
        found = wait_for(lambda: re.compile(pattern).search(self.console(), self.mark))
        if not found:
            raise AssertionError(f'{self.user}: its console does not say {pattern!r}:\n{self.console()[-3000:]}\n'
                                 + self.text()[-3000:])
        self.mark = found.end()
        return found

    def registered(self):
        if not wait_for(lambda: '200' in self.answers()):
            raise AssertionError(f'{self.user} is not registered:\n' + self.text()[-4000:])
        return self

    def uri(self, user):
        return f'sip:{user}@127.0.0.1:{self.port};transport={self.transport}'

    def dial(self, user):
        """Calls; the id of the call."""
        self.say(f'call {self.uri(user)}')
        return int(self.wait(r'Establishing call id to .*, assigned id (\d+)').group(1))

    def incoming(self):
        return int(self.wait(r'Receiving new incoming call from .*, assigned id (\d+)').group(1))

    def ended(self, call):
        return self.wait(rf'Call {call} with .* (?:ended|error)')
