package linkage

import "errors"

// errNotLive is the error of a model for files only.
var errNotLive = errors.New("the model has no section live: it is for files only")

// ErrUntrained is the error of a model without weights.
var ErrUntrained = errors.New("the model has no weights: train it, with --train")
