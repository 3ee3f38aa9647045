"""Print the JSON object with the highest accuracy of those in the files named; the first one wins a tie."""

from __future__ import annotations

import json
import sys
from pathlib import Path

scores = [json.loads(Path(name).read_text()) for name in sys.argv[1:]]
print(json.dumps(max(scores, key=lambda score: score["accuracy"])))
