#!/usr/bin/env python3
"""Values of scikit-learn and SciPy for metrics.json: `pip install scikit-learn scipy && python3 make_metrics.py`."""
import json
import pathlib

import numpy as np
from scipy.special import digamma
from scipy.stats import dirichlet_multinomial, multinomial
from sklearn import metrics

random = np.random.default_rng(7)
n, k = 60, 4
labels = random.integers(0, k, n)
logits = random.normal(size=(n, k)) + 1.2 * np.eye(k)[labels]
p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
p = np.round(p, 3)
p[:, 0] += 1 - p.sum(1)
predicted = p.argmax(1)
confidence = p.max(1)


def calibration_error(probability, outcome, bins=15):
    place = np.minimum((probability * bins).astype(int), bins - 1)
    return sum(abs(probability[place == b].mean() - outcome[place == b].mean()) * (place == b).mean()
               for b in range(bins) if (place == b).any())


classes = {
    "probabilities": p.ravel().tolist(), "labels": labels.tolist(),
    "values": {
        "auc": metrics.roc_auc_score(labels, p, multi_class="ovr", average="macro"),
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
        "f1": metrics.f1_score(labels, predicted, average="macro"),
        "log_loss": metrics.log_loss(labels, p),
        "brier": float(((p - np.eye(k)[labels]) ** 2).sum(1).mean()),
        "calibration_error": calibration_error(confidence, predicted == labels)}}
# Scores with ties.
scores = np.round(random.random(n), 1)
truth = random.random(n) < scores
labelled = {
    "probabilities": scores.tolist(), "truths": truth.astype(float).tolist(),
    "values": {
        "auc": metrics.roc_auc_score(truth, scores), "accuracy": metrics.accuracy_score(truth, scores >= 0.5),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, scores >= 0.5),
        "f1": metrics.f1_score(truth, scores >= 0.5), "log_loss": metrics.log_loss(truth, scores),
        "brier": metrics.brier_score_loss(truth, scores)}}
votes = np.array([[3, 0, 9], [0, 0, 1], [20, 5, 5], [1, 1, 0]])
alpha = np.array([[2.5, 0.3, 4.0], [0.01, 1.0, 12.0], [30.0, 8.0, 6.5], [0.7, 0.7, 0.7]])
total, a = votes.sum(1, keepdims=True), alpha.sum(1, keepdims=True)
gradient = -(digamma(a) - digamma(a + total) + digamma(alpha + votes) - digamma(alpha)) / len(votes)
coefficient = [multinomial.logpmf(v, v.sum(), np.full(3, 1 / 3)) - v.sum() * np.log(1 / 3) for v in votes]
trees = {
    "votes": votes.ravel().tolist(), "concentrations": alpha.ravel().tolist(),
    "log_likelihood": [dirichlet_multinomial.logpmf(v, x, v.sum()) for v, x in zip(votes, alpha)],
    "multinomial": [multinomial.logpmf(v, v.sum(), x / x.sum()) for v, x in zip(votes, alpha)],
    "loss": float(-np.mean([dirichlet_multinomial.logpmf(v, x, v.sum()) for v, x in zip(votes, alpha)]) + np.mean(coefficient)),
    "gradient": gradient.ravel().tolist()}
path = pathlib.Path(__file__).parent / "metrics.json"
path.write_text(json.dumps({"classes": classes, "labels": labelled, "votes": trees}, default=float) + "\n")
