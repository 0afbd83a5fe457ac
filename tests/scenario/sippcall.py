"""Calls of SIPp, written as they flow: a Caller or a Callee says what it sends and must receive; a Running plays it."""
import os
import re
import secrets
import socket
import subprocess
import tempfile

import harness
from legs import SDP_TYPE, reason_of
from harness import free_port, wait_for
from sippflow import HEAD, escape

SDP = """v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0"""
VIA = 'Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK{token}-[call_number]-{n};rport'
CONTACT = 'Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>'


class Script:
    """The scenario of one SIPp, in order. Sides differ in who they are in the dialog and how they find it."""

    def __init__(self, user):
        self.user = user
        self.token = secrets.token_hex(4)
        self.parts = []
        self.checks = 0
        self.transactions = 0
        self.cseq = 0
        self.invite = (0, 0)  # number of its branch, CSeq
        self.inviting = False  # it was an INVITE that was sent last
        self.last_untagged = False  # the last request came without a To tag
        self.untagged = set()  # and which of those with names

    # ---- sending ----

    def _send(self, lines, body='', retransmit=True, lost=None):
        attributes = (' retrans="500"' if retransmit else '') + (f' lost="{lost}"' if lost else '')
        text = '\n'.join([*lines, 'Content-Length: [len]', '', body])
        self.parts.append(f'<send{attributes}><![CDATA[\n{text}\n]]></send>\n')
        return self

    def _request(self, method, uri, sender, to, cseq, branch, headers=(), body='', **kw):
        lines = [f'{method} {uri} SIP/2.0', VIA.format(token=self.token, n=branch), 'Max-Forwards: 70',
                 f'From: {sender}', f'To: {to}', 'Call-ID: [call_id]', f'CSeq: {cseq} {method}']
        if method in ('INVITE', 'UPDATE', 'REFER'):
            lines.append(CONTACT.format(user=self.user))
        lines += headers
        if body and not any(h.startswith('Content-Type:') for h in headers):
            lines.append(SDP_TYPE)
        return self._send(lines, body, **kw)

    def request(self, method, headers=(), body='', cseq=None, retransmit=True):
        """A request inside the dialog; cseq: another number than the next."""
        self.transactions += 1
        if cseq is None:
            self.cseq += 1
        number = cseq or self.cseq
        self.inviting = method == 'INVITE'
        if self.inviting:
            self.invite = (self.transactions, number)
        return self._request(method, *self.inside(), number, self.transactions, headers, body, retransmit=retransmit)

    def bye(self, headers=()):
        return self.request('BYE', headers).expect(200)

    def reinvite(self, body=SDP, headers=(), status=200):
        """A re-INVITE, its answer and the ACK."""
        self.request('INVITE', headers, body).expect(100, optional=True).expect(status)
        return self.ack() if status < 300 else self.ack_failure()

    def ack(self, body='', lost=None):
        """The ACK of a 2xx."""
        self.transactions += 1
        return self._request('ACK', *self.inside(), self.invite[1], self.transactions, (), body, retransmit=False,
                             lost=lost)

    def pause(self, milliseconds):
        self.parts.append(f'<pause milliseconds="{milliseconds}"/>\n')
        return self

    # ---- receiving ----

    def _actions(self, has, lacks, capture=()):
        actions = []
        for h in has:
            header, regexp, occurrence = (*h, 1)[:3]
            name = self._variable('has')
            where = f'search_in="{header}"' if header in ('body', 'msg') else \
                f'search_in="hdr" header="{header}:" occurrence="{occurrence}"'
            actions.append(f'<ereg regexp="{escape(regexp)}" {where} check_it="true" assign_to="{name}"/>')
        for header in lacks:
            name = self._variable('lacks')
            actions.append(f'<ereg regexp="[[:space:]]{header}:" search_in="msg" check_it_inverse="true" '
                           f'assign_to="{name}"/>')
        for header, name in capture:
            actions.append(f'<ereg regexp=".*" search_in="hdr" header="{header}:" assign_to="{name}"/>')
        return ''.join(actions)

    def _variable(self, kind):
        self.checks += 1
        return f'{kind}{self.checks}'

    def expect(self, status, has=(), lacks=(), optional=False, auth=False):
        """An answer. has: (header, 'body' or 'msg', regular expression[, which]) tuples; lacks: names of headers."""
        attributes = f'response="{status}"'
        attributes += (' optional="true"' if optional else '') + (' auth="true"' if auth else '')
        actions = self._actions(has, lacks) + (self.learn() if 180 <= status <= 200 and self.inviting else '')
        self.parts.append(f'<recv {attributes}><action>{actions}</action></recv>\n' if actions
                          else f'<recv {attributes}/>\n')
        return self

    def learn(self):
        """What an answer to an INVITE is read for."""
        return ''

    def receive(self, method, has=(), lacks=(), name=None):
        """A request. name: remember its headers, so that it can be answered later than the next one."""
        capture = [(h, f'{name}{h.replace("-", "").lower()}') for h in ('Via', 'From', 'To', 'CSeq')] if name else []
        return self._receive(method, self._actions(has, lacks, capture), method == 'CANCEL', name)

    def _receive(self, method, actions, untagged, name):
        self.last_untagged = untagged
        if untagged:
            self.untagged.add(name)
        actions = f'<action>{actions}</action>' if actions else ''
        self.parts.append(f'<recv request="{method}">{actions}</recv>\n')
        return self

    def reply(self, status, headers=(), body='', name=None, reason=None, tag='', retransmit=False):
        """The answer to the last request, or to the one of that name."""
        untagged = name in self.untagged if name else self.last_untagged
        own = f';tag={tag or self.token}[call_number]' if untagged else ''
        lines = [f'SIP/2.0 {status} {reason or reason_of(status)}']
        if name:
            lines += [f'Via:[${name}via]', f'From:[${name}from]', f'To:[${name}to]{own}',
                      'Call-ID: [call_id]', f'CSeq:[${name}cseq]']
        else:
            lines += ['[last_Via:]', '[last_From:]', f'[last_To:]{own}', '[last_Call-ID:]',
                      '[last_CSeq:]']
        if 100 < status < 300:
            lines.append(CONTACT.format(user=self.user))
        lines += headers
        if body and not any(h.startswith('Content-Type:') for h in headers):
            lines.append(SDP_TYPE)
        return self._send(lines, body, retransmit=retransmit)

    def hung_up(self, has=()):
        return self.receive('BYE', has).reply(200)

    def reinvited(self, body=SDP, has=(), headers=()):
        """The peer's re-INVITE, answered and acknowledged."""
        return self.receive('INVITE', has).reply(200, headers, body, retransmit=True).receive('ACK')

    def text(self, name):
        body = ''.join(self.parts)
        assigned = sorted({v for names in re.findall('assign_to="([^"]*)"', body) for v in names.split(',')})
        reference = f'<Reference variables="{",".join(assigned)}"/>\n' if assigned else ''
        return HEAD.format(name=name) + body + reference + '</scenario>\n'


class Caller(Script):
    """SIPp as the calling side."""

    def __init__(self, user, to, password=None):
        super().__init__(user)
        self.to, self.password = to, password
        self.connected = False
        self.uri = f'sip:{to}@127.0.0.1'

    def _from(self):
        return f'<sip:{self.user}@127.0.0.1>;tag={self.token}[call_number]'

    def inside(self):
        return '[$target]', self._from(), f'<{self.uri}>[$totag]'

    def learn(self):
        """Where requests inside go to, the peer's tag, and what a PRACK names."""
        return ('<ereg regexp=".*" search_in="hdr" header="RSeq:" assign_to="rseq"/>'
                '<ereg regexp="&lt;([^&gt;]*)&gt;" search_in="hdr" header="Contact:" assign_to="whole,target"/>'
                '<ereg regexp=";tag=.*" search_in="hdr" header="To:" assign_to="totag"/>')

    def dial(self, headers=(), body=SDP, cseq=None):
        """The first INVITE; with a password its challenge is met."""
        self.inviting = True
        self.transactions += 1
        self.cseq = cseq or self.cseq + 1
        self.invite = (self.transactions, self.cseq)
        self._request('INVITE', self.uri, self._from(), f'<{self.uri}>', self.cseq, self.transactions, headers, body)
        if self.password:
            password, self.password = self.password, None
            self.expect(401, auth=True).ack_failure()
            return self.dial([*headers, f'[authentication username={self.user} password={password}]'], body)
        return self.expect(100, optional=True)

    def ack_failure(self):
        """The ACK of a final answer that is no 2xx: part of the INVITE's transaction."""
        branch, cseq = self.invite
        uri = '[$target]' if self.connected else self.uri
        return self._request('ACK', uri, self._from(), f'<{self.uri}>[peer_tag_param]', cseq, branch, retransmit=False)

    def ack(self, *args, **kw):
        self.connected = True
        return super().ack(*args, **kw)

    def prack(self, body='', headers=()):
        """Of the last reliable provisional answer to the INVITE."""
        return self.request('PRACK', [f'RAck:[$rseq] {self.invite[1]} INVITE', *headers], body).expect(200)

    def cancel(self, headers=()):
        self.inviting = False
        branch, cseq = self.invite
        return self._request('CANCEL', self.uri, self._from(), f'<{self.uri}>', cseq, branch, headers)

    def answered(self, headers=(), body=SDP, has=(), lacks=()):
        """The usual beginning: rings, is answered, and is acknowledged."""
        return self.dial(headers, body).expect(180).expect(200, has, lacks).ack()


class Callee(Script):
    """SIPp as the called side."""

    def __init__(self, user):
        super().__init__(user)
        self.cseq = 1000

    def inside(self):
        return '[$target]', f'[$inviteto];tag={self.token}[call_number]', '[$invitefrom]'

    def called(self, has=(), lacks=(), name='invite'):
        """The INVITE comes."""
        capture = [(h, f'{name}{h.lower()}') for h in ('Via', 'From', 'To', 'CSeq')]
        target = '<ereg regexp="&lt;([^&gt;]*)&gt;" search_in="hdr" header="Contact:" assign_to="whole,target"/>'
        return self._receive('INVITE', self._actions(has, lacks, capture) + target, True, name)

    def ring(self, status=180, headers=(), body=''):
        return self.reply(status, headers, body)

    def accept(self, headers=(), body=SDP, name=None, status=200):
        """Answers, and is acknowledged."""
        self.reply(status, headers, body, name=name, retransmit=True)
        return self.receive('ACK')

    def refuse(self, status, headers=(), name=None):
        """Answers with a failure, and is acknowledged by the INVITE's transaction."""
        return self.reply(status, headers, name=name, retransmit=True).receive('ACK')

    def ack_failure(self):
        branch, cseq = self.invite
        uri, sender, to = self.inside()
        return self._request('ACK', uri, sender, to, cseq, branch, retransmit=False)

    def answering(self, has=(), lacks=(), headers=(), body=SDP):
        """The usual beginning: called, rings, answers."""
        return self.called(has, lacks).ring().accept(headers, body)


def udp_is_bound(port):
    with open('/proc/net/udp') as f:
        return any(line.split()[1].endswith(f':{port:04X}') for line in f.readlines()[1:])


def tcp_is_bound(port):
    with open('/proc/net/tcp') as f:
        return any(line.split()[1].endswith(f':{port:04X}') and line.split()[3] == '0A' for line in f.readlines()[1:])


class Running:
    """A SIPp that plays a script; once it is made, a called one listens."""

    def __init__(self, test, script, transport='u1', calls=1, port=None, args=(), name=None, timeout=None):
        server = test.server
        self.name = name or f'{type(script).__name__.lower()} {script.user}'
        self.folder = tempfile.mkdtemp(prefix='sipp-', dir=server.folder)
        self.timeout = timeout or harness.DEADLINE
        kind = socket.SOCK_DGRAM if transport.startswith('u') else socket.SOCK_STREAM
        self.port = port or free_port(kind)
        path = os.path.join(self.folder, 'scenario.xml')
        with open(path, 'w') as f:
            f.write(script.text(self.name))
        address = server.udp if kind == socket.SOCK_DGRAM else server.tcp
        argv = ['sipp', f'{address[0]}:{address[1]}', '-sf', path, '-i', '127.0.0.1', '-p', str(self.port), '-t',
                transport, '-m', str(calls), '-nostdin', '-trace_err', '-timeout', f'{int(self.timeout)}s',
                '-timeout_error', *args]
        self.output = open(os.path.join(self.folder, 'output'), 'wb')
        self.process = subprocess.Popen(argv, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=subprocess.STDOUT)
        test.addCleanup(self.end)
        bound = udp_is_bound if kind == socket.SOCK_DGRAM else tcp_is_bound
        if isinstance(script, Callee) and not wait_for(lambda: bound(self.port) or self.process.poll() is not None):
            raise AssertionError(f'{self.name} does not listen: {self.errors()}')

    def errors(self):
        text = ''
        for name in sorted(os.listdir(self.folder)):
            if name.endswith('_errors.log') or name == 'output':
                with open(os.path.join(self.folder, name), errors='replace') as f:
                    text += f.read()[-4000:]
        return text

    def finish(self):
        """Waits until it has played all its calls, without a failed one."""
        try:
            status = self.process.wait(self.timeout + 30)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'{self.name}: sipp does not end') from None
        if status:
            raise AssertionError(f'{self.name}: sipp ended with {status}\n{self.errors()}')

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output.close()


def play(test, caller, *callees, transport='u1', calls=1, args=(), timeout=None):
    """Plays a caller against callees (a script, or a tuple of it, its q and its transport), each registered with a port
    of its own. All must succeed."""
    running = []
    for callee in callees:
        script, q, way = (*(callee if isinstance(callee, tuple) else (callee,)), None, None)[:3]
        way = way or 'u1'
        peer = Running(test, script, way, calls, timeout=timeout)
        test.register(script.user, peer.port, q, 'udp' if way.startswith('u') else 'tcp')
        running.append(peer)
    running.append(Running(test, caller, transport, calls, args=args, timeout=timeout))
    failures = []
    for peer in reversed(running):  # the caller first: it says most
        try:
            peer.finish()
        except AssertionError as e:
            failures.append(str(e))
    if failures:
        raise AssertionError('\n----\n'.join(failures))
