"""Reference values of Cohen's and Fleiss' kappa for the tests, from scikit-learn and statsmodels.

    python3 -m venv venv && venv/bin/pip install scikit-learn statsmodels
    venv/bin/python benchmarks/labeling/kappa_reference.py > Tests/Fixtures/kappa.json
"""
import json
import random

from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa

random.seed(20)
cohen = []
for count, classes, error in [(10, 2, 0.1), (50, 3, 0.3), (200, 5, 0.5), (400, 7, 0.9)]:
    truth = [random.randrange(classes) for _ in range(count)]
    raters = [
        [label if random.random() > error else random.randrange(classes) for label in truth] for _ in range(2)
    ]
    cohen.append({"first": raters[0], "second": raters[1], "kappa": cohen_kappa_score(*raters)})

# Fleiss (1971) as reprinted widely: 14 raters, 10 subjects, 5 categories; kappa 0.210.
published = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]
tables = [published]
for subjects, raters, categories in [(30, 3, 2), (80, 9, 6)]:
    table = []
    for _ in range(subjects):
        favourite = random.randrange(categories)
        row = [0] * categories
        for _ in range(raters):
            row[favourite if random.random() < 0.5 else random.randrange(categories)] += 1
        table.append(row)
    tables.append(table)
fleiss = [{"counts": table, "kappa": fleiss_kappa(table, method="fleiss")} for table in tables]
print(json.dumps({"cohen": cohen, "fleiss": fleiss}))
