"""Link one generated city with hopluu and with Splink, and print both side by side.

    python compare.py FOLDER --hopluu PROGRAM [--json]

FOLDER holds records.csv and truth.csv. Both train on the file itself, without
labels, and their clusters are held against the truth by the same code. hopluu
links at its model's threshold, Splink at the best of several, which its user
could not know. Processor seconds are of all threads and, unlike seconds, do not
feel what else the machine does. What is without training is linked a second
time by hopluu, with the weights that it found; of Splink it is the same run
less its training.
"""

import argparse
import csv
import json
import os
import subprocess
import tempfile
from pathlib import Path

import run


def call(*command):
    """Run a program; what it printed, and the processor seconds that it took."""
    before = os.times()
    out = subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True).stdout
    after = os.times()
    return out, after.children_user + after.children_system - before.children_user - before.children_system


def hopluu(program, folder, truth):
    with tempfile.TemporaryDirectory() as work:
        files = [Path(work) / name for name in ("trained.yaml", "links.csv", "clusters.csv")]
        trained, links, clusters = files
        common = ["--input", folder / "records.csv", "--output", links, "--clusters", clusters, "--json"]
        out, cpu = call(program, "identity", "link", "--model", "city", "--train", "--save-model", trained, *common)
        with open(clusters, newline="") as f:
            right = run.evaluate([(row["id"], row["cluster"]) for row in csv.DictReader(f)], truth)
        again, cpu_again = call(program, "identity", "link", "--model", trained, *common)
    seconds, seconds_again = json.loads(out)["seconds"], json.loads(again)["seconds"]
    return {
        "records": json.loads(out)["records"], **right, "seconds": sum(seconds.values()), "cpu": cpu,
        "untrained_seconds": sum(seconds_again.values()), "untrained_cpu": cpu_again, "score": seconds_again["link"], "cluster": 0,
    }


def splink(folder, truth):
    found = run.link(folder, truth, run.THRESHOLDS)
    seconds, cpu = found["seconds"], found["cpu_seconds"]
    return {
        "records": found["records"], **{k: found["best"][k] for k in ("pairs", "clusters")}, "seconds": found["total_seconds"], "cpu": found["total_cpu_seconds"],
        "untrained_seconds": found["total_seconds"] - seconds["train"], "untrained_cpu": found["total_cpu_seconds"] - cpu["train"],
        "score": seconds["score"], "cluster": seconds["cluster"], "threshold": found["best"]["threshold"], "version": found["splink"],
    }


def ratio(a, b):
    return f"{a / b:.1f}" if b else "-"


def table(ours, theirs, entities, true_pairs):
    """The rows of what is printed: what, Splink, hopluu, and how they compare."""
    rows = [("records, of which all are in both", theirs["records"], ours["records"], "")]
    for what, whole in (("pairs", true_pairs), ("clusters", entities)):
        for key in ("precision", "recall", "f1"):
            rows.append((f"{what}: {key}", f"{theirs[what][key]:.5f}", f"{ours[what][key]:.5f}", ""))
        wrong = [errors(t[what], whole) for t in (theirs, ours)]
        rows.append((f"{what}: wrong and missed", *wrong, f"Splink has {ratio(*wrong)} times ours"))
    n = ours["records"]
    for what, key in (("CSV to clusters, with training", ""), ("CSV to clusters, trained before", "untrained_")):
        s, c = [t[f"{key}seconds"] for t in (theirs, ours)], [t[f"{key}cpu"] for t in (theirs, ours)]
        rows.append((f"{what}: seconds", *(f"{x:.2f}" for x in s), f"hopluu is {ratio(*s)} times as fast"))
        rows.append(("  records/s", *(f"{n / x:,.0f}" for x in s), ""))
        rows.append(("  processor seconds", *(f"{x:.2f}" for x in c), f"Splink needs {ratio(*c)} times ours"))
    score = [t["score"] + t["cluster"] for t in (theirs, ours)]
    rows.append(("scoring alone: seconds", f"{theirs['score']:.2f}", f"{ours['score']:.2f} with clusters", f"hopluu is {ratio(theirs['score'], ours['score'])} times as fast"))
    rows.append(("  records/s", f"{n / theirs['score']:,.0f}", f"{n / ours['score']:,.0f}", ""))
    rows.append(("scoring and clusters: seconds", *(f"{x:.2f}" for x in score), f"hopluu is {ratio(*score)} times as fast"))
    return rows


def errors(scores, true):
    """How many were found wrongly or missed, of so many true ones."""
    right = scores["recall"] * true
    found = right / scores["precision"] if scores["precision"] else 0
    return round(found - right + true - right)


def main():
    parser = argparse.ArgumentParser(description="Link one city with hopluu and with Splink.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hopluu", type=Path, required=True, help="the program")
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON")
    args = parser.parse_args()
    truth = run.read_truth(args.folder)
    sizes = list(run.Counter(truth.values()).values())
    ours, theirs = hopluu(args.hopluu, args.folder, truth), splink(args.folder, truth)
    if args.json:
        print(json.dumps({"hopluu": ours, "splink": theirs}, indent=2))
        return
    rows = table(ours, theirs, sum(s > 1 for s in sizes), sum(s * (s - 1) // 2 for s in sizes))
    print(f"{'':36}{'Splink ' + theirs['version']:>14}{'hopluu':>22}")
    for what, their, our, comment in rows:
        print(f"{what:36}{their!s:>14}{our!s:>22}  {comment}".rstrip())
    wrong = {what: (1 - theirs[what]["f1"]) / max(1e-9, 1 - ours[what]["f1"]) for what in ("pairs", "clusters")}
    print(f"summary: 1 - F1 of Splink is {wrong['pairs']:.1f} times ours in pairs and {wrong['clusters']:.1f} times in clusters (2 asked); "
          f"from CSV to clusters hopluu is {ratio(theirs['seconds'], ours['seconds'])} times as fast (3 asked), "
          f"by processor seconds {ratio(theirs['cpu'], ours['cpu'])} times; scoring alone {ratio(theirs['score'], ours['score'])} times (1 asked)")


if __name__ == "__main__":
    main()
