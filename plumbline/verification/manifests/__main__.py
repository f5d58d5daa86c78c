"""`python -m plumbline.verification.manifests [VARIANT]`: render every overlay, check it, and print what is wrong."""

from __future__ import annotations

import sys

from plumbline.errors import PlumblineError
from plumbline.targets.kubernetes.model import Manifests
from plumbline.verification.manifests import variants
from plumbline.verification.manifests.checks import CHECKS, problems
from plumbline.verification.manifests.schemas import VERSIONS


def main(names: list[str]) -> int:
    """Print the outcome for each variant, or those named; return 1 if there is a problem, 2 for wrong usage."""
    chosen = [one for one in variants.variants() if not names or str(one) in names]
    if not chosen:
        print(f"there is no variant {', '.join(names)}: {', '.join(map(str, variants.variants()))}", file=sys.stderr)
        return 2
    wrong = 0
    for variant in chosen:
        try:
            documents = variants.documents(variant)
        except PlumblineError as error:
            print(f"{variant}: {error}", file=sys.stderr)
            return 1
        found = problems(Manifests(documents))
        wrong += len(found)
        print(f"{variant}: {len(documents)} resources, {len(found)} problems")
        for problem in found:
            print(f"  - {problem}")
    print(f"Checked: {', '.join(CHECKS)}; schemas of Kubernetes {', '.join(VERSIONS)}.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
