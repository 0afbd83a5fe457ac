"""A real server under libfault.so: the settings page that it shares with the test, and a conversation with it.

The conversation is the same each time: registrations over UDP and TCP with digest, a refresh, a MESSAGE relayed each
way, OPTIONS, commands on the control socket, a reload, an unregistration. While a fault may strike, a step may be
refused or get no answer; afterwards every step must work, without a restart.
"""
import json
import mmap
import os
import re
import secrets
import select
import signal
import socket
import struct
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'scenario'))

import harness  # noqa: E402
from harness import Phone, Server, TRANSPORTS, credentials, phone_sections  # noqa: E402
import sites  # noqa: E402

LIB = os.path.abspath(os.path.join(harness.BUILD, 'tests', 'fault', 'libfault.so'))
PATIENCE = 0.25  # seconds that a step waits for an answer while a fault may have taken it

PJSIP = TRANSPORTS + ''.join(phone_sections(user, aor='max_contacts=20') for user in ('alice', 'bob'))
MODULES = '[modules]\nautoload=yes\n' + ''.join(f'require=res_sip_{name}.so\n' for name in (
    'authenticator_digest', 'endpoint_identifier_user', 'registrar', 'messaging', 'nat', 'options', 'acl', 'logger',
    'outbound_authenticator_digest', 'endpoint_identifier_ip', 'endpoint_identifier_anonymous'))


def read_calls():
    """name -> (number, class, errors), from the table of the library."""
    with open(os.path.join(HERE, 'fault_calls.h')) as f:
        rows = re.findall(r'F\((\w+),\s*(\w+),\s*([^)]*)\)', f.read().split('FAULT_CALLS(F)')[1])
    return {name: (i, kind, [e.strip() for e in errors.split(',')]) for i, (name, kind, errors) in enumerate(rows)}


CALLS = read_calls()
MODES = {name: i for i, name in enumerate(('none', 'count', 'list', 'nth', 'site', 'each'))}
FIELDS = ('armed', 'mode', 'calls', 'all', 'n', 'site', 'good', 'variant', 'seen', 'failed', 'last_call', 'last_site',
          'sites', 'epoch')


def mask(*names):
    """The calls of these names and classes."""
    return sum(1 << number for name, (number, kind, _) in CALLS.items() if {name, kind.lower(), 'all'} & set(names))


class Page:
    """The settings, as attributes: see fault.c."""

    def __init__(self, path):
        with open(path, 'wb') as f:
            f.truncate(4096)
        with open(path, 'r+b') as f:
            self.__dict__['map'] = mmap.mmap(f.fileno(), 4096)
        self.reset()

    def __getattr__(self, name):
        return struct.unpack_from('<Q', self.map, 8 * FIELDS.index(name))[0]

    def __setattr__(self, name, value):
        struct.pack_into('<Q', self.map, 8 * FIELDS.index(name), value)

    def reset(self):
        self.armed = 0
        for name in FIELDS[1:-1]:
            setattr(self, name, 0)
        self.n = 1

    def arm(self, mode, *names, everything=False, **settings):
        """Calls of these names and classes; everything: also those of libraries. Forgets what it counted."""
        self.reset()
        self.mode, self.calls, self.all = MODES[mode], mask(*(names or ('all',))), int(everything)
        for name, value in settings.items():
            setattr(self, name, value)
        self.epoch = self.epoch + 1
        self.armed = 1

    def disarm(self):
        self.armed = 0


class FaultServer(Server):
    def __init__(self):
        folder = tempfile.mkdtemp(prefix='res_sip-fault-')
        self.page = Page(os.path.join(folder, 'page'))
        self.report = os.path.join(folder, 'report')
        wrap = ['env', f'LD_PRELOAD={LIB}', f'FAULT_PAGE={folder}/page', f'FAULT_REPORT={self.report}']
        super().__init__(PJSIP, {'modules.conf': MODULES}, folder=folder, wrap=wrap)
        self.own_folder = True
        self.symbols = sites.Symbols(harness.DAEMON)

    def lines(self, kind):
        found = [line for line in sites.read(self.report) if line.kind == kind]
        self.symbols.load(found)
        return found

    def clear_report(self):
        if os.path.exists(self.report):
            os.truncate(self.report, 0)

    def try_start(self):
        """Starts it under whatever the page says: True when it is ready, False when it refused."""
        self._start(())
        if not self.ready.wait(harness.DEADLINE):
            raise AssertionError('the server neither got ready nor ended:\n' + '\n'.join(self.log[-20:]))
        return self.ready_line is not None

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        return self.stop()

    def crash(self):
        """What the report says of one, or None."""
        for line in self.lines('crash'):
            return f'{line.call}: ' + ' < '.join(self.symbols.places(line)[:8])
        return None

    def cpu(self):
        with open(f'/proc/{self.process.pid}/stat') as f:
            words = f.read().rpartition(')')[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf('SC_CLK_TCK')


class Refused(Exception):
    """A step did not get what it wanted."""


class Control:
    """One connection to the control socket."""

    def __init__(self, server, patience):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(patience)
        try:
            self.sock.connect(os.path.join(server.state, 'res_sip.ctl'))
        except OSError as e:
            self.sock.close()
            raise Refused(f'control socket: {e}') from e

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def run(self, *words):
        data = b''
        try:
            self.sock.sendall(json.dumps({'argv': words, 'json': True}).encode() + b'\n')
            while not data.endswith(b'\n'):
                part = self.sock.recv(65536)
                if not part:
                    raise Refused(f'{" ".join(words)}: the connection was closed')
                data += part
        except OSError as e:
            raise Refused(f'{" ".join(words)}: {e}') from e
        answer = json.loads(data)
        if answer['exit']:
            raise Refused(f'{" ".join(words)}: {answer["err"]}')
        return answer['out']


class Conversation:
    """known: uri -> True (answered 200), None (asked for, not answered: may be there or not)."""

    def __init__(self, server):
        self.server = server
        self.known = {}
        self.strict = False
        self.round = 0
        self.phones = {}
        self.call_ids = {}

    # ---- phones ----

    def phone(self, user, transport):
        key = (user, transport)
        if key not in self.phones:
            try:
                self.phones[key] = Phone(self.server, user, transport=transport)
            except OSError as e:
                raise Refused(f'{user} cannot connect: {e}') from e
            self.phones[key].call_id = self.call_ids.setdefault(key, secrets.token_hex(8))
            self.phones[key].cseq = self.call_ids.setdefault(('cseq', key), 1)
        return self.phones[key]

    def drop(self, phone):
        for key, p in list(self.phones.items()):
            if p is phone:
                self.call_ids['cseq', key] = phone.cseq
                del self.phones[key]
        phone.close()

    def close(self):
        for phone in list(self.phones.values()):
            self.drop(phone)

    # ---- requests ----

    def patience(self):
        return harness.DEADLINE if self.strict else PATIENCE

    def receive(self, phone, seconds):
        """A message of this phone; the other phones answer what they get meanwhile."""
        end = time.monotonic() + seconds
        while True:
            if phone.transport == 'tcp':
                message = phone._cut()
                if message:
                    return message
            left = end - time.monotonic()
            if left <= 0:
                return None
            phones = list(self.phones.values())
            ready = select.select([p.sock for p in phones], [], [], left)[0]
            for p in phones:
                if p.sock not in ready:
                    continue
                message = p.receive(0.001)
                if message and message.method == 'MESSAGE':
                    self.heard.append(message.body)
                    p.answer(message)
                elif message and p is phone:
                    return message
                elif not message and p.transport == 'tcp' and self.ended(p):
                    self.drop(p)
                    if p is phone:
                        raise Refused('the connection was closed')

    @staticmethod
    def ended(phone):
        try:
            return phone.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b''
        except BlockingIOError:
            return False
        except OSError:
            return True

    def ask(self, phone, method, uri, headers=(), body=b'', to=None):
        """The final answer; over UDP the request is sent again when none comes."""
        branch = 'z9hG4bK' + secrets.token_hex(8)
        data = phone.request(method, uri, headers, body, to=to, branch=branch)
        for _ in range(1 if self.strict or phone.transport == 'tcp' else 2):
            end = time.monotonic() + self.patience()
            try:
                phone.send(data)
            except OSError as e:
                self.drop(phone)
                raise Refused(f'{method}: {e}') from e
            while (left := end - time.monotonic()) > 0:
                answer = self.receive(phone, left)
                if answer and branch in (answer.get('Via') or '') and answer.status and answer.status >= 200:
                    return answer
        if phone.transport == 'tcp':
            self.drop(phone)
        raise Refused(f'{method}: no answer')

    def ask_authenticated(self, phone, method, uri, headers=(), body=b'', to=None):
        answer = self.ask(phone, method, uri, headers, body, to)
        if answer.status == 401:
            value = credentials(answer.get('WWW-Authenticate'), method, uri, phone.user, 'secret')
            answer = self.ask(phone, method, uri, [*headers, f'Authorization: {value}'], body, to)
        if answer.status != 200:
            raise Refused(f'{method}: {answer.start}')
        return answer

    # ---- steps ----

    def change(self, user, transport, add=(), remove=()):
        phone = self.phone(user, transport)
        lines = [f'Contact: <{uri}>;expires=3600' for uri in add] + [f'Contact: <{uri}>;expires=0' for uri in remove]
        self.known.update({uri: None for uri in (*add, *remove)})
        answer = self.ask_authenticated(phone, 'REGISTER', 'sip:127.0.0.1', lines, to=f'<sip:{user}@127.0.0.1>')
        self.known.update({uri: True for uri in add})
        for uri in remove:
            del self.known[uri]
        there = re.findall(r'<([^>]*)>', ' '.join(answer.all('Contact')))
        self.compare([uri for uri in there if uri.startswith(f'sip:{user}-')], user, 'the answer to REGISTER')

    def compare(self, there, user, what):
        for uri, known in self.known.items():
            if known and uri.startswith(f'sip:{user}-') and uri not in there:
                raise AssertionError(f'{what}: {uri} was answered 200 and is not there: {there}')
        for uri in there:
            if uri not in self.known:
                raise AssertionError(f'{what}: {uri} was removed or never asked for, and is there')

    def uri(self, user, n):
        return f'sip:{user}-{n}@192.0.2.1:5060'

    def register(self, user, transport):
        n = self.round
        old = [uri for uri in self.known if uri.startswith(f'sip:{user}-') and uri not in
               (self.uri(user, n), self.uri(user, n - 1))]
        self.change(user, transport, add=[self.uri(user, n)], remove=old[:6])

    def refresh(self, user, transport):
        self.change(user, transport, add=[self.uri(user, self.round)])

    def reachable(self, user, transport):
        """The phone itself is bound, for MESSAGE; a connection's binding ends with it, so it is not looked at later."""
        phone = self.phone(user, transport)
        contact = phone.contact.strip('<>')
        self.ask_authenticated(phone, 'REGISTER', 'sip:127.0.0.1', [f'Contact: <{contact}>;expires=60'],
                               to=f'<sip:{user}@127.0.0.1>')

    def unreachable(self, user, transport):
        phone = self.phone(user, transport)
        contact = phone.contact.strip('<>')
        self.ask_authenticated(phone, 'REGISTER', 'sip:127.0.0.1', [f'Contact: <{contact}>;expires=0'],
                               to=f'<sip:{user}@127.0.0.1>')

    def message(self, user, transport, to, to_transport):
        self.heard = []
        body = secrets.token_hex(4).encode()
        self.phone(to, to_transport)
        self.ask_authenticated(self.phone(user, transport), 'MESSAGE', f'sip:{to}@127.0.0.1',
                               ['Content-Type: text/plain'], body)
        if body not in self.heard:
            raise AssertionError(f'MESSAGE was answered 200, and {to} has not got it')

    def options(self, user, transport):
        self.ask_authenticated(self.phone(user, transport), 'OPTIONS', 'sip:127.0.0.1')

    def commands(self):
        with Control(self.server, self.patience()) as control:
            for words in (('pjsip', 'show', 'endpoints'), ('pjsip', 'show', 'contacts'), ('core', 'show', 'version'),
                          ('module', 'show'), ('pjsip', 'show', 'transports')):
                control.run(*words)

    def reload(self):
        with Control(self.server, harness.DEADLINE if self.strict else 2) as control:
            control.run('pjsip', 'reload')

    def steps(self):
        yield 'register', lambda: self.register('alice', 'udp')
        yield 'register tcp', lambda: self.register('bob', 'tcp')
        yield 'reachable', lambda: self.reachable('alice', 'udp')
        yield 'reachable tcp', lambda: self.reachable('bob', 'tcp')
        yield 'refresh', lambda: self.refresh('alice', 'udp')
        yield 'message', lambda: self.message('alice', 'udp', 'bob', 'tcp')
        yield 'message tcp', lambda: self.message('bob', 'tcp', 'alice', 'udp')
        yield 'options', lambda: self.options('alice', 'udp')
        yield 'commands', self.commands
        yield 'reload', self.reload
        yield 'options tcp', lambda: self.options('bob', 'tcp')
        yield 'unregister', lambda: self.unreachable('alice', 'udp')
        yield 'unregister tcp', lambda: self.unreachable('bob', 'tcp')

    def run(self, strict):
        """One conversation; the steps that were refused. strict: none may be."""
        self.strict = strict
        self.heard = []
        self.round += 1
        refused = []
        if strict:
            self.close()  # new connections
        for name, step in self.steps():
            try:
                step()
            except Refused as e:
                if self.server.crash() or not self.server.running():
                    raise AssertionError(f'the server died at step {name}: {self.server.crash()}') from e
                if strict:
                    raise AssertionError(f'after the fault, step {name} fails: {e}\n' +
                                         '\n'.join(self.server.log[-15:])) from e
                refused.append(f'{name}: {e}')
        return refused

    def check_durable(self):
        """After a restart: what was answered is there, and nothing else but what may be."""
        with Control(self.server, harness.DEADLINE) as control:
            listed = control.run('pjsip', 'show', 'contacts')
        there = [c['uri'] for c in (json.loads(listed) if isinstance(listed, str) else listed)['contacts']]
        for user in ('alice', 'bob'):
            mine = [uri for uri in there if uri.startswith(f'sip:{user}-')]
            self.compare(mine, user, 'after kill -9')
        self.known = {uri: True for uri in self.known if uri in there}
