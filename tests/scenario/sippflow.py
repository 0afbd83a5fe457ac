"""Scenarios for SIPp, put together from steps: a request, the challenge it meets, and the answer it must get."""
import os
import secrets

from harness import sipp

HEAD = '''<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="{name}">
'''


def escape(text):
    return text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;').replace('"', '&quot;')


class Flow:
    """One call of SIPp as user. What it sends and must receive is written down first, then run() plays it."""

    def __init__(self, user='alice', password='secret', domain='127.0.0.1'):
        self.user, self.password, self.domain = user, password, domain
        self.parts = []
        self.checks = 0
        self.tag = secrets.token_hex(4)

    def send(self, method, headers=(), uri=None, to=None, sender=None, cseq=None, call_id=None, auth=None, body=''):
        """A request. headers: lines; auth: (user, password) that answer the last challenge."""
        uri = uri or f'sip:{self.domain}'
        sender = sender or f'<sip:{self.user}@{self.domain}>'
        lines = [f'{method} {uri} SIP/2.0',
                 'Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport',
                 'Max-Forwards: 70',
                 f'From: {sender};tag={self.tag}[call_number]',
                 f'To: {to or (sender if method == "REGISTER" else f"<{uri}>")}',
                 f'Call-ID: {call_id + "///" if call_id else ""}[call_id]',
                 f'CSeq: {cseq or "[cseq]"} {method}', *headers]
        if auth:
            lines.append(f'[authentication username={auth[0]} password={auth[1]}]')
        lines += ['Content-Length: [len]', '', body]
        self.parts.append('<send retrans="500"><![CDATA[\n' + '\n'.join(lines) + '\n]]></send>\n')
        return self

    def expect(self, status, has=(), lacks=()):
        """The answer. has: (header, regular expression[, n: its nth line]) tuples; lacks: header names."""
        actions = []
        for h in has:
            header, regexp, occurrence = (*h, 1)[:3]
            self.checks += 1
            actions.append(f'<ereg regexp="{escape(regexp)}" search_in="hdr" header="{header}:" '
                           f'occurrence="{occurrence}" check_it="true" assign_to="{self.checks}"/>')
        for header in lacks:
            self.checks += 1
            actions.append(f'<ereg regexp="[[:space:]]{header}:" search_in="msg" check_it_inverse="true" '
                           f'assign_to="{self.checks}"/>')
        attributes = f'response="{status}"' + (' auth="true"' if status in (401, 407) else '')
        self.parts.append(f'<recv {attributes}><action>{"".join(actions)}</action></recv>\n' if actions
                          else f'<recv {attributes}/>\n')
        return self

    def request(self, method, headers=(), status=200, has=(), lacks=(), user=None, password=None, cseq=None, **kw):
        """A request that is challenged, and sent again with the password; cseq is that of the second one."""
        self.send(method, headers, cseq=cseq - 1 if cseq else None, **kw).expect(401)
        self.send(method, headers, cseq=cseq, auth=(user or self.user, password or self.password), **kw)
        return self.expect(status, has, lacks)

    def register(self, *contacts, expires=None, status=200, headers=(), **kw):
        lines = [f'Contact: {c}' for c in contacts] + ([f'Expires: {expires}'] if expires is not None else [])
        return self.request('REGISTER', [*lines, *headers], status, **kw)

    def text(self, name):
        names = ','.join(str(n + 1) for n in range(self.checks))
        reference = f'<Reference variables="{names}"/>\n' if names else ''
        return HEAD.format(name=name) + ''.join(self.parts) + reference + '</scenario>\n'

    def run(self, server, transport='u1', *args, name='flow', **kw):
        path = os.path.join(server.folder, f'{name}-{secrets.token_hex(4)}.xml')
        with open(path, 'w') as f:
            f.write(self.text(name))
        return sipp(server, path, *args, transport=transport, **kw)
