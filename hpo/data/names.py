"""The names of the built-in data sets; to know them costs no import."""

from __future__ import annotations

# name -> one line about it
BUILT_IN: dict[str, str] = {
    "digits": "1,797 handwritten digits as 8x8 images, 10 classes",
    "iris": "150 flowers, 4 measurements, 3 species",
    "wine": "178 wines, 13 chemical measurements, 3 growers",
    "breast_cancer": "569 tumours, 30 measurements, malignant or benign",
    "diabetes": "442 patients, 10 measurements, progression after a year (regression)",
    "spiral": "Playground: two spirals, 7 input features, noise, 2 classes",
    "circle": "Playground: a disc in a ring, 7 input features, noise, 2 classes",
    "xor": "Playground: four squares, 7 input features, noise, 2 classes",
    "gauss": "Playground: two clouds, 7 input features, noise, 2 classes",
    "plane": "Playground: a plane, 7 input features, noise (regression)",
}
