"""What a run prints is kept: in a file of the build folder and, when asked, as the last run in docs/benchmarks.md."""
import os

from servers import BUILD, ROOT

DOCUMENT = os.path.join(ROOT, 'docs', 'benchmarks.md')


class Record:
    def __init__(self, name):
        self.name, self.lines = name, []

    def print(self, text=''):
        print(text, flush=True)
        self.lines.append(text)

    def keep(self, in_docs):
        text = '\n'.join(self.lines).strip() + '\n'
        with open(os.path.join(BUILD, self.name + '.md'), 'w') as f:
            f.write(text)
        if in_docs:
            replace(f'<!-- {self.name}: begin -->', f'<!-- {self.name}: end -->', text)


def replace(begin, end, text):
    """Puts text between two marks of the document."""
    with open(DOCUMENT) as f:
        before, _, rest = f.read().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise RuntimeError(f'{DOCUMENT} has no {begin} … {end}')
    with open(DOCUMENT, 'w') as f:
        f.write(f'{before}{begin}\n\n{text}\n{end}{after}')
