"""mutations.py BUILDDIR [NAME…]: whether the simulation notices.

Each file of tests/sim/mutations is a defect as a patch against the sources. For each, in a copy of the tree under BUILDDIR/mutations:
patch, build, run simulations by rising seeds until one fails, take the patch out again. A table says which seed caught
it, and by which rule (defects named call-… are looked for among calls); the sources as they are must pass the same
seeds. Ends with 1 when a defect was not caught or a patch does not fit any more.
"""
import filecmp
import os
import re
import shutil
import subprocess
import sys

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
PATCHES = os.path.join(SOURCE, 'tests', 'sim', 'mutations')
# The programs that look, and how many seeds each gets.
WATCHERS = [('test_sim_world', 1000), ('test_sim_registrar_rules', 1), ('test_sim_registrar', 60)]
CALL_WATCHERS = [('test_sim_calls', 200)]
CLEAN_SEEDS = {'test_sim_calls': 60, 'test_sim_world': 100, 'test_sim_registrar_rules': 1, 'test_sim_registrar': 20}
TARGETS = ['tests/sim/' + name for name, _ in WATCHERS + CALL_WATCHERS] + ['server']


def run(*argv, **options):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors='replace', **options)


def copy_tree(to):
    """The sources as they lie here, committed or not. What is there and the same keeps its time, so that it is not built again."""
    for name in run('git', '-C', SOURCE, 'ls-files', '-co', '--exclude-standard').stdout.splitlines():
        there, here = os.path.join(SOURCE, name), os.path.join(to, name)
        if not os.path.isfile(there):
            continue
        os.makedirs(os.path.dirname(here), exist_ok=True)
        if not os.path.exists(here) or not filecmp.cmp(there, here, shallow=False):
            shutil.copyfile(there, here)
            shutil.copymode(there, here)


def build(folder):
    said = run('ninja', '-C', folder, *TARGETS)
    return said.returncode == 0, said.stdout


def simulate(folder, program, seeds):
    """None, or (seed, reason) of the first that failed."""
    said = run(os.path.join(folder, 'tests', 'sim', program),
               env=dict(os.environ, MODULE_DIR=os.path.join(folder, 'modules'), SIM_RUNS=str(seeds), SIM_FAILURES='1'))
    if said.returncode == 0:
        return None
    seed = re.search(r'^replay: SEED=(\d+)', said.stdout, re.M)
    reason = re.search(r'^(?:\w+\.c:\d+: (.*)|(the simulation .*|.*AddressSanitizer.*))$', said.stdout, re.M)
    return (seed.group(1) if seed else '?', (reason.group(1) or reason.group(2)) if reason else said.stdout[-200:])


def look(folder, name):
    for program, seeds in CALL_WATCHERS if name.startswith('call-') else WATCHERS:
        caught = simulate(folder, program, seeds)
        if caught:
            return program, *caught
    return None


def main():
    top = os.path.join(os.path.abspath(sys.argv[1]), 'mutations')
    tree, folder = os.path.join(top, 'src'), os.path.join(top, 'build')
    names = sys.argv[2:] or sorted(n[:-6] for n in os.listdir(PATCHES) if n.endswith('.patch'))
    copy_tree(tree)
    if not os.path.exists(os.path.join(folder, 'build.ninja')):
        run('meson', 'setup', folder, tree, '-Dtests=enabled')
    ok, said = build(folder)
    if not ok:
        sys.exit(said)
    for program, seeds in CLEAN_SEEDS.items():
        caught = simulate(folder, program, seeds)
        if caught:
            sys.exit(f'without any defect {program} fails, seed {caught[0]}: {caught[1]}')

    missed = 0
    print('| defect | caught by | seed | what was said |\n| --- | --- | ---: | --- |')
    for name in names:
        patch = os.path.join(PATCHES, name + '.patch')
        what = open(patch).readline().strip()
        said = run('patch', '-p1', '-d', tree, '-i', patch)
        if said.returncode == 0:
            ok, text = build(folder)
            found = look(folder, name) if ok else ('-', '-', 'it does not build: ' + text[-300:])
            run('patch', '-p1', '-R', '-d', tree, '-i', patch)
        else:
            found = ('-', '-', 'the patch does not fit any more')
        if not found or found[0] == '-':
            missed += 1
        program, seed, reason = found or ('nobody', '-', '')
        print(f'| {what} | {program} | {seed} | {reason[:110]} |', flush=True)
    print(f'\n{len(names) - missed} of {len(names)} defects caught')
    print(f'mutations: {len(names) - missed} passed, {missed} failed')
    sys.exit(1 if missed else 0)


main()
