"""report – runs the tests of this folder; the last line is "N passed, N failed"."""
import sys
import unittest

result = unittest.TextTestRunner(sys.stdout, verbosity=2).run(unittest.defaultTestLoader.discover("."))
failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed")
sys.exit(failed != 0)
