package linkage

import "errors"

// ErrUntrained is the error of a model without weights.
var ErrUntrained = errors.New("the model has no weights: train it, with --train")
