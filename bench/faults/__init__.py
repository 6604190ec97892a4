"""Faults tried on the whole line: killed, starved, cut off, crowded, fed with rubbish, attacked, and run for long.

    make faults                     everything, about two hours on two cores
    make faults PARTS=kill,disk     some of it
    make faults SHARE=0.1           a tenth of each

Every try ends in one of three ways: recovered (the right release, bit for bit), refused (one clear line,
nothing half-written), or lost. The table stands in docs/reliability.md; lost must be 0.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))  # the parts and the Hub of the tests
