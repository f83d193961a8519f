"""Link a generated city with Splink, as a careful user would, for comparison.

    python run.py FOLDER [--thresholds 0.9...]

FOLDER holds records.csv and truth.csv (go run ./integration/accuracy -export
FOLDER). The names are prepared (NFC, lower case, diacritics taken off), the id
columns cleaned, as Splink compares what it is given. Precision, recall and F1
are of pairs in one cluster and of whole clusters, counted as 'hopluu identity
evaluate' counts them. Splink is told, too, that the population register has one
record a person: clusters are made from single best links, and as connected
components, at several thresholds, and the best F1 counts. Times are from
reading the CSV to the clusters of the best; cpu_seconds are of all threads.
"""

import argparse
import json
import logging
import re
import time
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

import duckdb
import pandas as pd
import splink
import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import Linker, SettingsCreator, block_on
from splink.backends.duckdb import DuckDBAPI

TONE_PLACES = [(a, b) for a, b in zip(
    "oà oá oả oã oạ oè oé oẻ oẽ oẹ uỳ uý uỷ uỹ uỵ".split(),
    "òa óa ỏa õa ọa òe óe ỏe õe ọe ùy úy ủy ũy ụy".split(), strict=True)]


def canonical(text):
    """Lower case, composed, tones where the older orthography has them."""
    words = unicodedata.normalize("NFC", text).lower().split()
    for i, word in enumerate(words):
        for new, old in TONE_PLACES:
            if word.endswith(new) and not (new[0] == "u" and word[:-2].endswith("q")):
                words[i] = word[:-2] + old
    return " ".join(words)


def toneless(text):
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return plain.replace("đ", "d")


def number(digits, last=None):
    """Digits only; fillers and numbers of another length are none."""
    def clean(text):
        d = re.sub(r"\D", "", text or "")
        if last:
            d = d[-last:]
        if digits and len(d) in (digits - 1, digits - 2):
            d = d.zfill(digits)
        if digits and len(d) != digits or len(set(d)) <= 1 or d in "01234567890123456789":
            return None
        return d
    return clean


def prepare(path):
    df = pd.read_csv(path, dtype=str, keep_default_na=False)
    out = pd.DataFrame({"unique_id": df.record_id, "source_dataset": df.source.where(df.source == "population", "other")})
    out["cccd"] = df.cccd.map(number(12))
    out["cmnd"] = df.cmnd.map(number(9))
    out["insurance"] = df.insurance_no.map(number(10, last=10))
    out["phone"] = df.phone.map(number(9, last=9))
    names = {n: canonical(n) for n in df.full_name.unique()}
    plain = {c: toneless(c) for c in set(names.values())}
    out["name"] = df.full_name.map(names)
    out["name_plain"] = out.name.map(plain)
    words = out.name_plain.str.split()
    out["given"] = words.str[-1]
    out["name_sorted"] = words.map(lambda w: " ".join(sorted(w)))
    out["born"] = df.birth_date.where(df.birth_date != "", None)
    out["birth_year"] = out.born.str[:4]
    out["sex"] = df.sex.where(df.sex != "", None)
    # A code of before the reform of 1 July 2025 names another place.
    of = df.ward_code.where(df.updated_at >= "2025-07-01", df.ward_code + " before")
    out["ward"] = of.where(df.ward_code != "", None)
    out["address"] = df.address.map(lambda a: re.sub(r"[^\w]+", " ", toneless(canonical(a)).replace("so ", "").replace(" duong ", " ")).strip() or None)
    return out.astype(object).where(out.notna(), None)


def digits_comparison(column):
    return cl.CustomComparison(output_column_name=column, comparison_levels=[
        cll.NullLevel(column),
        cll.ExactMatchLevel(column, term_frequency_adjustments=True),
        cll.DamerauLevenshteinLevel(column, 1),
        cll.ElseLevel(),
    ])


def settings():
    name = cl.CustomComparison(output_column_name="name", comparison_levels=[
        cll.NullLevel("name"),
        cll.ExactMatchLevel("name", term_frequency_adjustments=True),
        cll.ExactMatchLevel("name_plain"),
        cll.ExactMatchLevel("name_sorted"),
        cll.DamerauLevenshteinLevel("name_plain", 1),
        cll.JaroWinklerLevel("name_plain", 0.92),
        cll.ExactMatchLevel("given"),
        cll.ElseLevel(),
    ])
    born = cl.CustomComparison(output_column_name="born", comparison_levels=[
        cll.NullLevel("born"),
        cll.ExactMatchLevel("born", term_frequency_adjustments=True),
        cll.CustomLevel("birth_year_l = birth_year_r and (born_l like '%-01-01' or born_r like '%-01-01')", label_for_charts="year only"),
        cll.CustomLevel("birth_year_l = birth_year_r and substr(born_l, 6, 2) = substr(born_r, 9, 2) and substr(born_l, 9, 2) = substr(born_r, 6, 2)", label_for_charts="day and month exchanged"),
        cll.CustomLevel("substr(born_l, 1, 7) = substr(born_r, 1, 7)", label_for_charts="same month"),
        cll.CustomLevel("birth_year_l = birth_year_r", label_for_charts="same year"),
        cll.ElseLevel(),
    ])
    place = cl.CustomComparison(output_column_name="address", comparison_levels=[
        cll.NullLevel("address"),
        cll.ExactMatchLevel("address", term_frequency_adjustments=True),
        cll.ExactMatchLevel("ward"),
        cll.ElseLevel(),
    ])
    return SettingsCreator(
        link_type="link_and_dedupe",
        comparisons=[digits_comparison("cccd"), digits_comparison("cmnd"), digits_comparison("insurance"), name, born,
                     cl.ExactMatch("sex"), digits_comparison("phone"), place],
        blocking_rules_to_generate_predictions=[
            block_on("cccd"), block_on("cmnd"), block_on("insurance"), block_on("name_sorted", "born"),
            block_on("phone", "given"), block_on("address", "given"), block_on("given", "born"),
            block_on("ward", "born"), block_on("phone", "born"), block_on("name_sorted", "birth_year"),
        ],
        retain_matching_columns=False,
    )


def scores(right, found, true):
    p, r = right / max(1, found), right / max(1, true)
    return {"precision": round(p, 5), "recall": round(r, 5), "f1": round(2 * p * r / max(1e-9, p + r), 5)}


def evaluate(clusters, truth):
    by_cluster, by_entity, both = Counter(), Counter(), Counter()
    members = defaultdict(list)
    for record, cluster in clusters:
        entity = truth[record]
        by_cluster[cluster] += 1
        by_entity[entity] += 1
        both[cluster, entity] += 1
        members[cluster].append(entity)
    pairs = lambda counts: sum(n * (n - 1) // 2 for n in counts.values())
    whole = sum(1 for m in members.values() if len(m) > 1 and len(set(m)) == 1 and by_entity[m[0]] == len(m))
    return {
        "pairs": scores(pairs(both), pairs(by_cluster), pairs(by_entity)),
        "clusters": scores(whole, sum(n > 1 for n in by_cluster.values()), sum(n > 1 for n in by_entity.values())),
    }


THRESHOLDS = [0.5, 0.9, 0.95, 0.99, 0.999, 0.9999]


def read_truth(folder):
    frame = pd.read_csv(folder / "truth.csv", dtype=str)
    return dict(zip(frame.id, frame.entity, strict=True))


def link(folder, truth, thresholds):
    """What Splink makes of a folder, as a dictionary."""
    logging.getLogger("splink").setLevel(logging.ERROR)
    last = time.perf_counter(), time.process_time()
    seconds, cpu = {}, {}

    def took(name):
        nonlocal last
        now = time.perf_counter(), time.process_time()
        seconds[name], cpu[name] = round(now[0] - last[0], 2), round(now[1] - last[1], 2)
        last = now

    df = prepare(folder / "records.csv")
    took("read and prepare")
    api = DuckDBAPI()
    frames = [api.register(part.drop(columns="source_dataset"), dataset_display_name=name) for name, part in df.groupby("source_dataset")]
    linker = Linker(frames, settings(), log_level=logging.ERROR)
    linker.training.estimate_probability_two_random_records_match([block_on("cccd"), block_on("name", "born")], recall=0.9)
    linker.training.estimate_u_using_random_sampling(max_pairs=5e6, seed=1)
    for rule in (block_on("cccd"), block_on("name_sorted", "born"), block_on("phone", "born")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    took("train")
    predictions = linker.inference.predict(threshold_match_probability=0.1)
    took("score")
    curve, best = [], None
    for threshold in thresholds:
        for way in ("components", "single best links"):
            took("")
            if way == "components":
                clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(predictions, threshold_match_probability=threshold)
            else:
                clusters = linker.clustering.cluster_using_single_best_links(predictions, ["population"], threshold_match_probability=threshold, ties_method="drop")
            rows = clusters.as_duckdbpyrelation().select("unique_id, cluster_id").fetchall()
            took("")
            point = {"threshold": threshold, "clusters_by": way, **evaluate(rows, truth)}
            curve.append(point)
            if best is None or point["pairs"]["f1"] > best["pairs"]["f1"]:
                best, seconds["cluster"], cpu["cluster"] = point, seconds[""], cpu[""]
    del seconds[""], cpu[""]
    total = sum(seconds.values())
    return {
        "splink": splink.__version__, "duckdb": duckdb.__version__, "records": len(df), "seconds": seconds, "total_seconds": round(total, 2),
        "cpu_seconds": cpu, "total_cpu_seconds": round(sum(cpu.values()), 2),
        "records_per_second": round(len(df) / total), "scoring_records_per_second": round(len(df) / seconds["score"]), "best": best, "curve": curve,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--thresholds", type=float, nargs="*", default=THRESHOLDS)
    args = parser.parse_args()
    print(json.dumps(link(args.folder, read_truth(args.folder), args.thresholds), indent=2))


if __name__ == "__main__":
    main()
