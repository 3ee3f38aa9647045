"""Print, as JSON, the accuracy of a classifier on a data set: train.py DATA knn|svc|tree VALUE."""

from __future__ import annotations

import json
import sys

from sklearn import datasets
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

MODELS = {
    "knn": lambda value: KNeighborsClassifier(int(value)),
    "svc": lambda value: SVC(C=value),
    "tree": lambda value: DecisionTreeClassifier(max_depth=int(value), random_state=0),
}

data, model, value = sys.argv[1], sys.argv[2], float(sys.argv[3])
x, y = getattr(datasets, f"load_{data}")(return_X_y=True)
classifier = make_pipeline(StandardScaler(), MODELS[model](value))
accuracy = cross_val_score(classifier, x, y, cv=StratifiedKFold(5)).mean()
print(json.dumps({"data": data, "model": model, "value": value, "accuracy": round(float(accuracy), 6)}))
