// Package worst proves what Scrip does when everything around it is at its worst:
// vendors that answer wrong, late, twice or not at all, workers that die while
// they call, and clocks that are apart or are set.
//
// The activities are the real ones, with the vendors' real SDKs, a real ledger and
// webhooks that are signed, taken in and dispatched. Only Temporal is stood in for,
// by a loop that retries as Temporal does, so that thousands of attempts fit. The
// live counterparts are the kills at each call of a vendor in prove/faults, and
// what the shop answers in prove/exact.
package worst
