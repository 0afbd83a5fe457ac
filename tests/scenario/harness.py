"""What the scenario tests share: a real server on ports that the system picks, real peers, and a scripted phone.

A test is a unittest module run by meson with RES_SIP_BUILD naming the build folder. Everything is on loopback, in a
temporary folder of its own; whatever a test starts, it ends.
"""
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

BUILD = os.environ.get('RES_SIP_BUILD', os.path.join(os.path.dirname(__file__), '..', '..', 'build'))
SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
DAEMON = os.path.join(BUILD, 'res_sipd')
CLIENT = os.path.join(BUILD, 'res_sip')
MODULES = os.path.join(BUILD, 'modules')
SLOW = float(os.environ.get('RES_SIP_SLOW', '1'))  # sanitizers are slower: deadlines are multiplied
DEADLINE = 20 * SLOW  # seconds after which something that should have happened has not

TRANSPORTS = """
[udp]
type=transport
protocol=udp
bind=127.0.0.1:@UDP@

[tcp]
type=transport
protocol=tcp
bind=127.0.0.1:@TCP@
"""


def phone_sections(name, password='secret', endpoint='', auth='', aor='max_contacts=5'):
    """The three sections of one phone; the texts are added to them."""
    return (f'\n[{name}]\ntype=endpoint\nauth={name}\naors={name}\n{endpoint}\n'
            f'\n[{name}]\ntype=auth\nauth_type=userpass\nusername={name}\npassword={password}\n{auth}\n'
            f'\n[{name}]\ntype=aor\n{aor}\n')


class Server:
    """A res_sipd of its own. files: name -> text of what stands in its configuration folder."""

    def __init__(self, pjsip=None, files=None, modules=None, folder=None, wrap=()):
        self.folder = folder or tempfile.mkdtemp(prefix='res_sip-')
        self.own_folder = folder is None
        self.conf = os.path.join(self.folder, 'conf')
        self.state = os.path.join(self.folder, 'state')
        self.modules = modules or MODULES
        self.wrap = list(wrap)
        self.process = None
        self.log = []
        self.files = dict(files or {})
        if pjsip is not None:
            self.files['pjsip.conf'] = pjsip
        os.makedirs(self.conf, exist_ok=True)
        self._pick_ports()

    def write(self, name, text):
        """Writes a configuration file; @UDP@ and @TCP@ stand for this server's ports."""
        text = text.replace('@UDP@', str(self.ports['udp'])).replace('@TCP@', str(self.ports['tcp']))
        path = os.path.join(self.conf, name)
        with open(path + '.new', 'w') as f:
            f.write(text)
        os.replace(path + '.new', path)

    def _pick_ports(self):
        self.ports = {'udp': free_port(), 'tcp': free_port(socket.SOCK_STREAM)}
        for name, text in self.files.items():
            self.write(name, text)

    def start(self, expect_ready=True, args=()):
        """Starts it; when somebody else was given one of its ports meanwhile, with other ones."""
        for _ in range(5):
            self._start(args)
            if not expect_ready:
                return self
            if not self.ready.wait(DEADLINE * 2):
                break
            if self.ready_line:
                return self
            status = self.stop()
            if not any('in use' in line for line in self.log):
                raise AssertionError(f'the server ended with {status}:\n' + '\n'.join(self.log[-40:]))
            self._pick_ports()
        self.stop()
        raise AssertionError('the server did not get ready:\n' + '\n'.join(self.log[-40:]))

    def _start(self, args):
        self.log = []
        self.ready_line = None
        self.ready = threading.Event()
        self.process = subprocess.Popen(
            self.wrap + [DAEMON, '-c', self.conf, '-d', self.state, '-m', self.modules] + list(args),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors='replace')
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            line = line.rstrip('\n')
            self.log.append(line)
            if ' ready: ' in line:
                self.ready_line = line
                self.ready.set()
        self.ready.set()

    def stop(self, sig=signal.SIGTERM):
        """Ends it and returns its exit status."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
        status = None
        if self.process:
            try:
                status = self.process.wait(DEADLINE * 2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError('the server did not stop:\n' + '\n'.join(self.log[-40:]))
            self.reader.join(DEADLINE)
            self.process.stderr.close()
            self.process = None
        return status

    def remove(self):
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def cli(self, *words, check=True, as_json=False):
        argv = [CLIENT, '-s', os.path.join(self.state, 'res_sip.ctl')] + (['--json'] if as_json else []) + list(words)
        r = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE * 2)
        if check and r.returncode:
            raise AssertionError(f'{" ".join(words)}: {r.returncode}: {r.stdout}{r.stderr}')
        if as_json:
            return json.loads(r.stdout)
        return r.stdout if check else r

    def reload(self):
        return self.cli('pjsip', 'reload')

    def wait_log(self, pattern, after=0):
        """The first line of the log that matches, waited for."""
        found = wait_for(lambda: next((m for m in (re.search(pattern, l) for l in self.log[after:]) if m), None))
        if not found:
            raise AssertionError(f'no line matches {pattern!r} in:\n' + '\n'.join(self.log[-40:]))
        return found

    @property
    def udp(self):
        return ('127.0.0.1', self.ports['udp'])

    @property
    def tcp(self):
        return ('127.0.0.1', self.ports['tcp'])


def wait_for(condition, seconds=None):
    """Polls until condition() is true; its value, or a false one when time is up."""
    end = time.monotonic() + (seconds or DEADLINE)
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.01)


class ServerTest(unittest.TestCase):
    """A test with one server for all its methods: give pjsip (and files)."""
    pjsip = None
    files = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.pjsip, cls.files).start()

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        log = '\n'.join(cls.server.log)
        cls.server.remove()
        if status != 0:
            raise AssertionError(f'the server ended with {status}:\n{log[-6000:]}')


# ---- messages ----

COMPACT = {'via': 'v', 'from': 'f', 'to': 't', 'call-id': 'i', 'contact': 'm', 'content-length': 'l',
           'content-type': 'c', 'subject': 's', 'supported': 'k'}


class Message:
    """A received message: start line, headers in order, body."""

    def __init__(self, data):
        head, _, self.body = data.partition(b'\r\n\r\n')
        lines = re.sub(rb'\r\n[ \t]+', b' ', head).decode('utf-8', 'surrogateescape').split('\r\n')
        self.data = data
        self.start = lines[0]
        self.headers = []
        for line in lines[1:]:
            name, _, value = line.partition(':')
            self.headers.append((name.strip(), value.strip()))

    @property
    def status(self):
        return int(self.start.split(' ')[1]) if self.start.startswith('SIP/2.0 ') else None

    @property
    def method(self):
        return None if self.status else self.start.split(' ')[0]

    def get(self, name):
        return next(iter(self.all(name)), None)

    def all(self, name):
        names = (name.lower(), COMPACT.get(name.lower()))
        return [v for n, v in self.headers if n.lower() in names]

    def __repr__(self):
        return self.data.decode('utf-8', 'replace')


ALGORITHMS = {'MD5': hashlib.md5, 'SHA-256': hashlib.sha256,
              'SHA-512-256': lambda data=b'': hashlib.new('sha512_256', data)}


def parse_challenge(value):
    scheme, _, rest = value.partition(' ')
    params = {}
    for name, quoted, plain in re.findall(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))', rest):
        params[name.lower()] = quoted or plain
    return scheme, params


def credentials(challenge, method, uri, username, password, nc=1, cnonce=None, qop=True, ha1=None):
    """The value of an Authorization header that answers a Digest challenge."""
    _, c = parse_challenge(challenge)
    name = c.get('algorithm', 'MD5')
    h = lambda s: ALGORITHMS[name.upper()](s.encode()).hexdigest()
    cnonce = cnonce or secrets.token_hex(8)
    ha1 = ha1 or h(f'{username}:{c["realm"]}:{password}')
    ha2 = h(f'{method}:{uri}')
    fields = f'username="{username}", realm="{c["realm"]}", nonce="{c["nonce"]}", uri="{uri}", algorithm={name}'
    if qop and 'qop' in c:
        response = h(f'{ha1}:{c["nonce"]}:{nc:08x}:{cnonce}:auth:{ha2}')
        fields += f', qop=auth, nc={nc:08x}, cnonce="{cnonce}"'
    else:
        response = h(f'{ha1}:{c["nonce"]}:{ha2}')
    if 'opaque' in c:
        fields += f', opaque="{c["opaque"]}"'
    return f'Digest {fields}, response="{response}"'


class Phone:
    """A scripted phone on one socket: sends what it is told, answers nothing by itself but what handlers say."""

    def __init__(self, server, user, password='secret', transport='udp', domain='127.0.0.1', source='127.0.0.1'):
        self.server, self.user, self.password, self.transport, self.domain = server, user, password, transport, domain
        self.peer = server.udp if transport == 'udp' else server.tcp
        family = socket.AF_INET
        if ':' in source:  # the server listens on the same port of ::1
            family, self.peer = socket.AF_INET6, ('::1', self.peer[1])
        self.buffer = b''
        self.cseq = secrets.randbelow(10000) + 1
        self.call_id = secrets.token_hex(8)
        if transport == 'udp':
            self.sock = socket.socket(family, socket.SOCK_DGRAM)
            self.sock.bind((source, 0))
        else:
            self.sock = socket.create_connection(self.peer, source_address=(source, 0))
        self.sock.settimeout(DEADLINE)
        self.address = self.sock.getsockname()
        self.host = f'[{source}]' if family == socket.AF_INET6 else self.address[0]

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        data = data if isinstance(data, bytes) else data.encode()
        if self.transport == 'udp':
            self.sock.sendto(data, self.peer)
        else:
            self.sock.sendall(data)

    def receive(self, seconds=None):
        """The next message, or None when there is none in time (or the connection was closed)."""
        end = time.monotonic() + (seconds or DEADLINE)
        while True:
            if self.transport != 'udp':
                message = self._cut()
                if message:
                    return message
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(65536)
            except (socket.timeout, ConnectionError):
                return None
            if self.transport == 'udp':
                return Message(data)
            if not data:
                return None
            self.buffer += data

    def _cut(self):
        self.buffer = self.buffer.lstrip(b'\r\n')
        head, sep, rest = self.buffer.partition(b'\r\n\r\n')
        if not sep:
            return None
        m = re.search(rb'(?im)^(?:content-length|l)\s*:\s*(\d+)', head)
        n = int(m.group(1)) if m else 0
        if len(rest) < n:
            return None
        self.buffer = rest[n:]
        return Message(head + sep + rest[:n])

    @property
    def contact(self):
        extra = ';transport=tcp' if self.transport == 'tcp' else ''
        return f'<sip:{self.user}@{self.host}:{self.address[1]}{extra}>'

    def request(self, method, uri=None, headers=(), body=b'', to=None, sender=None, call_id=None, cseq=None,
                branch=None,
                from_tag=None):
        """The bytes of a request. headers: complete lines."""
        self.cseq += 1
        uri = uri or f'sip:{self.domain}'
        body = body if isinstance(body, bytes) else body.encode()
        lines = [f'{method} {uri} SIP/2.0',
                 f'Via: SIP/2.0/{self.transport.upper()} {self.host}:{self.address[1]}'
                 f';branch={branch or "z9hG4bK" + secrets.token_hex(8)};rport',
                 'Max-Forwards: 70',
                 f'From: {sender or f"<sip:{self.user}@{self.domain}>"};tag={from_tag or secrets.token_hex(4)}',
                 f'To: {to or f"<{uri}>"}',
                 f'Call-ID: {call_id or self.call_id}',
                 f'CSeq: {cseq or self.cseq} {method}', *headers, f'Content-Length: {len(body)}', '', '']
        return '\r\n'.join(lines).encode() + body

    def ask(self, *args, **kw):
        """Sends a request and gives its final answer."""
        self.send(self.request(*args, **kw))
        return self.final()

    def final(self, seconds=None):
        while True:
            answer = self.receive(seconds)
            if answer is None or (answer.status and answer.status >= 200):
                return answer

    def ask_authenticated(self, method, uri=None, headers=(), password=None, username=None, pick=0, **kw):
        """The same, answering one challenge. pick: which WWW-Authenticate."""
        uri = uri or f'sip:{self.domain}'
        answer = self.ask(method, uri, headers, **kw)
        if answer is None or answer.status != 401:
            return answer
        authorization = credentials(answer.all('WWW-Authenticate')[pick], method, uri, username or self.user,
                                    password or self.password)
        kw.pop('cseq', None)
        return self.ask(method, uri, [*headers, f'Authorization: {authorization}'], **kw)

    def register(self, contacts=None, expires=None, headers=(), **kw):
        """REGISTER of contacts (header values; [] for a query; None for the phone's own)."""
        contacts = [self.contact] if contacts is None else contacts
        lines = [f'Contact: {c}' for c in contacts] + ([f'Expires: {expires}'] if expires is not None else [])
        return self.ask_authenticated('REGISTER', headers=[*lines, *headers],
                                      to=kw.pop('to', f'<sip:{self.user}@{self.domain}>'),
                                      **kw)

    def answer(self, request, status=200, reason='OK', headers=(), tag=None):
        """Answers a request that it received."""
        to = request.get('To')
        if 'tag=' not in to:
            to += f';tag={tag or secrets.token_hex(4)}'
        lines = [f'SIP/2.0 {status} {reason}', *[f'Via: {v}' for v in request.all('Via')],
                 f'From: {request.get("From")}',
                 f'To: {to}', f'Call-ID: {request.get("Call-ID")}', f'CSeq: {request.get("CSeq")}', *headers,
                 'Content-Length: 0', '', '']
        self.send('\r\n'.join(lines))


# ---- other peers ----

def sipp(server, scenario, *args, transport='u1', calls=1, peer=None, expect=0, timeout=None):
    """Runs a SIPp scenario of tests/scenario/sipp against the server; raises what it said when it ends otherwise."""
    address = peer or (server.udp if transport.startswith('u') else server.tcp)
    folder = tempfile.mkdtemp(prefix='sipp-', dir=server.folder)
    timeout = timeout or DEADLINE
    argv = ['sipp', f'{address[0]}:{address[1]}', '-sf', os.path.join(SOURCE, 'tests', 'scenario', 'sipp', scenario),
            '-i', '127.0.0.1', '-t', transport, '-m', str(calls), '-nostdin', '-trace_err', '-timeout',
            f'{int(timeout)}s',
            '-timeout_error', *args]
    r = subprocess.run(argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors='replace',
                       timeout=timeout + 30)
    if r.returncode != expect:
        errors = ''
        for name in os.listdir(folder):
            if name.endswith('_errors.log'):
                with open(os.path.join(folder, name), errors='replace') as f:
                    errors += f.read()
        raise AssertionError(f'{scenario}: sipp ended with {r.returncode}\n{errors[-4000:]}\n{r.stdout[-1500:]}\n'
                             f'{r.stderr[-500:]}')
    return r.stdout


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.bind(('::1', 0))
        return True
    except OSError:
        return False


def free_port(kind=socket.SOCK_DGRAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def main():
    unittest.main(verbosity=2)
