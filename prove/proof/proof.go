// Package proof is what the tests of the promises share: how much of a test is
// run, and where it writes down what it found.
//
// `make test` runs each proof in a short form. `make prove` runs them at full
// size and prints the findings as one table.
package proof

import (
	"encoding/json"
	"os"
	"sync"
	"testing"
)

// Variables of the environment that `make prove` sets.
const (
	sizeVariable     = "SCRIP_PROVE"          // "full"
	findingsVariable = "SCRIP_PROVE_FINDINGS" // a file; each finding is appended as a line of JSON
)

// Full says whether proofs run at full size.
func Full() bool { return os.Getenv(sizeVariable) == "full" }

// Short gives an environment in which proofs run in their short form and write
// nothing down.
func Short(environment []string) []string {
	return append(environment, sizeVariable+"=", findingsVariable+"=")
}

// Size gives the short form's number, or the full one.
func Size[T any](short, full T) T {
	if Full() {
		return full
	}
	return short
}

// Finding is a row of the table: what was tried, how often, what was found.
type Finding struct {
	Promise int    `json:"promise"` // 1 to 9; 0 for what stands behind all of them
	Tried   string `json:"tried"`
	Times   int    `json:"times"`
	Found   string `json:"found"`

	Test string `json:"test"`
}

var writing sync.Mutex

// Found writes a finding down, and into the test's log. It is called at the end of
// a proof, when everything it asserts has held.
func Found(t testing.TB, f Finding) {
	t.Helper()
	f.Test = t.Name()
	t.Logf("promise %d: %s, %d times: %s", f.Promise, f.Tried, f.Times, f.Found)
	path := os.Getenv(findingsVariable)
	if path == "" {
		return
	}
	line, err := json.Marshal(f)
	if err != nil {
		t.Fatalf("writing down a finding: %v", err)
	}
	writing.Lock()
	defer writing.Unlock()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatalf("writing down a finding: %v", err)
	}
	defer file.Close()
	if _, err := file.Write(append(line, '\n')); err != nil {
		t.Fatalf("writing down a finding: %v", err)
	}
}
