"""The servers that the bench loads: the floor, res_sip and Kamailio, each on ports of 127.0.0.1 that the system picks.

What is started is ended by stop(), and by the end of this program whatever its reason.
"""
import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..'))
BUILD = os.path.abspath(os.environ.get('RES_SIP_BUILD', os.path.join(ROOT, 'build')))
REALM = 'bench'
USERS = 10000
READY_S = 120

PJSIP = """
[global]
type=global
default_realm={realm}
{system}
[udp]
type=transport
protocol=udp
bind=127.0.0.1:{udp}

[tcp]
type=transport
protocol=tcp
bind=127.0.0.1:{tcp}

[phone](!)
type=endpoint
context=default
allow=ulaw
[login](!)
type=auth
auth_type=userpass
[place](!)
type=aor
max_contacts=5
remove_existing=yes

; Sends OPTIONS and MESSAGE without credentials, as it does to Kamailio.
[trunk](phone)
"""

# A user: an endpoint that registers and is called.
WITH_PASSWORD = '[{0}](phone)\nauth={0}\naors={0}\n[{0}](login)\nusername={0}\npassword=secret-{0}\n[{0}](place)\n'
WITHOUT_PASSWORD = '[{0}](phone)\naors={0}\n[{0}](place)\n'

# Every budget by source would see all phones of the world behind one address: 127.0.0.1 is trusted. The rest stays as
# it comes; only the number of transactions is raised, since more than 60,000 requests a second are kept for 32 seconds.
RES_SIP = """
[registrar]
durable = {durable}
[security]
trusted = 127.0.0.0/8
[limits]
transactions = 8000000
"""


def free_port(kind=socket.SOCK_DGRAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def system_rcvbuf():
    with open('/proc/sys/net/core/rmem_default') as f:
        return int(f.read())


running = []


class Server:
    """A process and its temporary folder. core: the processor that it is bound to."""
    name = 'server'

    def __init__(self, core=0, users=USERS):
        self.core, self.users = core, users
        self.folder = tempfile.mkdtemp(prefix='sipbench-')
        self.udp, self.tcp = free_port(), free_port(socket.SOCK_STREAM)
        self.process = None
        running.append(self)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), 'w') as f:
            f.write(text)

    def launch(self, argv):
        # It goes when this program goes, whatever ends that.
        pin = ['setpriv', '--pdeathsig', 'TERM', 'taskset', '-c', str(self.core)]
        with open(self.path('output'), 'w') as out:
            self.process = subprocess.Popen(pin + argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True)

    def output(self):
        with open(self.path('output'), errors='replace') as f:
            return f.read()

    def wait_ready(self, is_ready):
        end = time.monotonic() + READY_S
        while time.monotonic() < end and self.process.poll() is None:
            if is_ready():
                return self
            time.sleep(0.005)
        text = self.output()[-3000:]
        self.stop()
        raise RuntimeError(f'{self.name} did not get ready:\n{text}')

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        if self.process:
            # Whoever is left of its session, children too; the id is ours as long as we have not waited for the leader
            # or some member is left.
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)
        if self in running:
            running.remove(self)

    @property
    def pid(self):
        return self.process.pid


class Floor(Server):
    name = 'floor'

    def start(self):
        self.launch([os.path.join(BUILD, 'bench', 'floor'), str(self.udp)])
        return self.wait_ready(lambda: 'ready' in self.output())


class ResSip(Server):
    """The daemon with all its modules. system: lines for the [system] section of pjsip.conf."""
    name = 'res_sip'

    def __init__(self, core=0, users=USERS, durable=False, system='', user=WITH_PASSWORD):
        super().__init__(core, users)
        self.durable, self.user = durable, user
        self.system = f'\n[system]\ntype=system\n{system}\n' if system else ''

    def configure(self):
        head = PJSIP.format(realm=REALM, system=self.system, udp=self.udp, tcp=self.tcp)
        phones = ''.join(self.user.format(f'u{1000000 + i}') for i in range(self.users))
        self.write('conf/pjsip.conf', head + phones)
        self.write('conf/res_sip.conf', RES_SIP.format(durable='yes' if self.durable else 'no'))

    def start(self):
        if not os.path.exists(self.path('conf')):
            self.configure()
        self.begun = time.monotonic()
        self.launch([os.path.join(BUILD, 'res_sipd'), '-c', self.path('conf'), '-d', self.path('state'),
                     '-m', os.path.join(BUILD, 'modules')])
        self.wait_ready(lambda: ' ready: ' in self.output())
        self.ready_s = time.monotonic() - self.begun
        return self

    def end_process(self):
        """Ends the process alone: configuration and bindings stay for another start."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.process = None


class Kamailio(Server):
    name = 'kamailio'

    @staticmethod
    def program():
        return shutil.which('kamailio') or shutil.which('kamailio', path='/usr/sbin:/usr/local/sbin')

    @classmethod
    def version(cls):
        text = subprocess.run([cls.program(), '-v'], capture_output=True, text=True).stdout
        return re.search(r'kamailio (\S+)', text).group(1)

    def __init__(self, core=0, users=USERS, children=1, config='kamailio.cfg'):
        super().__init__(core, users)
        self.children, self.config = children, config

    def start(self):
        with open(os.path.join(ROOT, 'bench', self.config)) as f:
            text = f.read()
        for key, value in (('UDP', self.udp), ('TCP', self.tcp), ('CHILDREN', self.children), ('USERS', self.users),
                           ('RCVBUF', system_rcvbuf()), ('REALM', REALM)):
            text = text.replace(f'@{key}@', str(value))
        self.write('kamailio.cfg', text)
        # Its own default for memory (-x qm) searches long lists: with fm it is up to four times as fast here.
        self.launch([self.program(), '-DD', '-f', self.path('kamailio.cfg'), '-Y', self.folder, '-m', '2048', '-x', 'fm'])
        return self.wait_ready(self.answers)

    def answers(self):
        """Whether it answers an OPTIONS: it says nothing when it is ready."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(('127.0.0.1', 0))
            s.settimeout(0.2)
            port = s.getsockname()[1]
            s.sendto((f'OPTIONS sip:127.0.0.1 SIP/2.0\r\n'
                      f'Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKready{port}\r\n'
                      f'Max-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\n'
                      f'Call-ID: r{port}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n').encode(), ('127.0.0.1', self.udp))
            try:
                return s.recv(4096).startswith(b'SIP/2.0 200')
            except OSError:
                time.sleep(0.05)
                return False


@atexit.register
def stop_all():
    for server in list(running):
        server.stop()


def stop_on_signals():
    def end(number, frame):
        raise SystemExit(128 + number)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)
