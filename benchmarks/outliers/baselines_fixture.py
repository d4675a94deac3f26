"""Writes Tests/Fixtures/outlier_baselines.json: what scikit-learn makes of vectors with known outliers.

    pip install scikit-learn && python benchmarks/outliers/baselines_fixture.py
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

rng = np.random.default_rng(7)
count, width, outliers = 400, 6, 20
mixing = rng.normal(size=(width, width)) * np.array([3, 2, 1, 0.4, 0.2, 0.1])[:, None]
values = rng.normal(size=(count, width)) @ mixing
values[:outliers] += 3 * rng.normal(size=(outliers, width))
values = np.round(values, 3).astype(np.float32)
labels = np.arange(count) < outliers

# Means of 10 forests, so that the reference has less noise of its own.
forests = [-IsolationForest(n_estimators=100, max_samples=256, random_state=s).fit(values).score_samples(values) for s in range(10)]
forest = np.mean(forests, axis=0)
pca = PCA(n_components=3, svd_solver="full").fit(values.astype(np.float64))
residual = values - pca.inverse_transform(pca.transform(values))
error = np.mean(residual**2, axis=1)
distances, _ = NearestNeighbors(n_neighbors=11, metric="cosine").fit(values.astype(np.float64)).kneighbors(values.astype(np.float64))
cosine = distances[:, 1:].mean(axis=1)

report = {
    "script": "benchmarks/outliers/baselines_fixture.py, scikit-learn " + sklearn.__version__,
    "width": width,
    "outliers": outliers,
    "values": [float(np.round(v, 3)) for v in values.ravel()],
    "forest": [round(float(v), 5) for v in forest],
    "forestAUC": float(roc_auc_score(labels, forest)),
    "forestAUCs": [float(roc_auc_score(labels, f)) for f in forests],
    "pcaVariances": pca.explained_variance_.tolist(),
    "pcaRatios": pca.explained_variance_ratio_.tolist(),
    "pcaErrors": [float(f"{v:.6g}") for v in error],
    "cosine": [float(f"{v:.6g}") for v in cosine],
}
path = Path(__file__).resolve().parents[2] / "Tests/Fixtures/outlier_baselines.json"
path.write_text(json.dumps(report) + "\n")
print({k: v for k, v in report.items() if k not in ("values", "forest", "pcaErrors", "cosine")})
