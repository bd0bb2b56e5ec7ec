"""How fast the perceptron memorises: memory laws, measured ones, and those of skewed frequencies."""
