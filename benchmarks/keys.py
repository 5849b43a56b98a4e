"""How many keys of the problem bank are wrong, by a second opinion that knows none of our rules, derivations or arithmetic.

    python benchmarks/keys.py [--variants 2000]

The forward pass is written again from the spec (tests/oracle.py); gradients are plain central differences of it in 60-digit arithmetic. Every
numeric answer is compared as it stands in the key, every draw and its question made from a seed of its own.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import test_bank as second_opinion  # noqa: E402
from oracle import Kink  # noqa: E402

from symbolic.problems.worked import key_of  # noqa: E402


def compared(name: str, seed: int) -> tuple[int, list[str]]:
    """How many numeric answers a variant has, and a sentence for each that is another one by the second opinion."""
    work, asked = second_opinion.work_of(name, seed), second_opinion.BANK[name].file.ask
    forward, wrong, count = second_opinion.opinion(name, seed), [], 0
    for part, ask in zip(second_opinion.question(name, seed).parts, asked, strict=True):
        if ask.kind in ("find", "choose"):
            theirs = second_opinion.second(forward, work, key_of(ask.target, work.network, work.problem))
            count += 1
            if not second_opinion.same([[float(v) for v in row] for row in part.answer.value], theirs, 11):
                wrong.append(f"{name}, seed {seed}: {ask.target}")
    return count, wrong


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--variants", type=int, default=2000)
    given = options.parse_args()
    names = [n for n in sorted(second_opinion.BANK.makers) if any(a.kind in ("find", "choose") for a in second_opinion.BANK[n].file.ask)]
    start, total, at_kinks, wrong = time.process_time(), Counter[str](), 0, list[str]()
    for k in range(given.variants):
        name, seed = names[k % len(names)], k // len(names)
        try:
            count, found = compared(name, seed)
        except Kink:
            at_kinks += 1
            continue
        total[name] += count
        wrong += found
    print(f"{given.variants - at_kinks} variants of {len(names)} problems, {sum(total.values())} numeric answers, {len(wrong)} wrong, "
          f"{at_kinks} at a kink, {time.process_time() - start:.0f} s CPU")
    for sentence in wrong[:20]:
        print(sentence)
    if wrong or at_kinks:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
