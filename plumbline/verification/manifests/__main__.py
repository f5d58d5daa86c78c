"""`python -m plumbline.verification.manifests`: render every overlay, check it, and print what is wrong."""

from __future__ import annotations

import sys

from plumbline.errors import PlumblineError
from plumbline.targets.kubernetes.model import Manifests
from plumbline.verification.manifests import variants
from plumbline.verification.manifests.checks import CHECKS, problems
from plumbline.verification.manifests.schemas import VERSIONS


def main() -> int:
    """Print the outcome for each variant; return 1 if there is a problem."""
    wrong = 0
    for variant in variants.variants():
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
    sys.exit(main())
