// Package review is what people do with the pairs that a model leaves to them:
// which to look at first, and what becomes of what they say.
//
// Rank orders the pairs by what one person instead of two would change. Say is
// the step from what is known of a pair to what is known after somebody spoke,
// alone or as one of two. A Book holds what was said of all pairs, and is the
// same whatever the order in which it took it (P9).
//
// What belongs here: pure rules on decisions. What never does: topics, clocks,
// who may do what, and the matching itself, which is package linkage.
package review
