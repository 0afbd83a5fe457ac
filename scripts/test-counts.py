"""test-counts.py TESTLOG STATUS LABEL: how many tests passed and failed, from the log that meson writes.

A program of cmocka or unittest counts as many tests as it says; anything else (one that died, say) counts one.
"""
import json
import re
import sys

log, status, label = sys.argv[1:4]
passed = failed = 0
names = []

with open(log, encoding="utf-8", errors="replace") as lines:
    for line in lines:
        test = json.loads(line)
        text = test.get("stdout", "") + test.get("stderr", "")
        for n, bad_ones in re.findall(r"^Ran (\d+) tests? in .*\n\n(?:OK|FAILED \((.*)\))", text, re.M):
            wrong = sum(int(k) for k in re.findall(r"(?:failures|errors)=(\d+)", bad_ones))
            text += f"\n[  PASSED  ] {max(int(n) - wrong, 0)} test(s).\n"
            if wrong:
                text += f"[  FAILED  ] {wrong} test(s), listed below\n"
        ok = [int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test\(s\)", text)]
        bad = [int(n) for n in re.findall(r"\[  FAILED  \] (\d+) test\(s\), listed below", text)]
        passed += sum(ok)
        failed += sum(bad)
        if test["result"] in ("OK", "EXPECTEDFAIL"):
            passed += 0 if ok else 1
        elif test["result"] != "SKIP":
            failed += 0 if bad else 1
            names.append(test["name"])

for name in names:
    print(f"failed: {name}")
print(f"{label + ': ' if label else ''}{passed} passed, {failed} failed")
sys.exit(1 if failed or status != "0" else 0)
