// Command table prints the findings of `make prove` as a table: for each promise
// what was tried, how often, and what was found; and which proofs found nothing,
// because they failed or were left out.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"scrip.dev/scrip/prove/proof"
)

// promises are the README's, in short.
var promises = [...]string{
	0: "behind all of them",
	1: "no accepted event is lost",
	2: "one journey per entry",
	3: "one code, one holder",
	4: "never twice on a channel",
	5: "a code is burnt only by a delivery",
	6: "waits survive everything",
	7: "histories hold ids only",
	8: "a journey keeps its version",
	9: "nothing is silent",
}

func main() {
	if err := print(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "printing the findings:", err)
		os.Exit(1)
	}
}

func print(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("say which file holds them, and which one the names of all proofs")
	}
	findings, err := read(args[0])
	if err != nil {
		return err
	}
	unshown, err := without(args[1], findings)
	if err != nil {
		return err
	}
	slices.SortStableFunc(findings, func(a, b proof.Finding) int { return cmp.Compare(order(a), order(b)) })
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	last := -1
	for _, f := range findings {
		if f.Promise != last {
			fmt.Fprintf(out, "\n%s\n", title(f.Promise))
			last = f.Promise
		}
		fmt.Fprintf(out, "  %s\t%d×\t%s\n", f.Tried, f.Times, f.Found)
	}
	for i, test := range unshown {
		if i == 0 {
			fmt.Fprintf(out, "\nNOT SHOWN\n")
		}
		fmt.Fprintf(out, "  %s\n", test)
	}
	fmt.Fprintf(out, "\n%d findings, %s\n", len(findings), time.Now().Format(time.DateOnly))
	return out.Flush()
}

// without names the proofs, of those that `go test -list` wrote into a file, that
// found nothing.
func without(path string, findings []proof.Finding) (tests []string, err error) {
	list, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w; `make prove` writes it", err)
	}
	for test := range strings.Lines(string(list)) {
		test = strings.TrimSpace(test)
		found := slices.ContainsFunc(findings, func(f proof.Finding) bool { name, _, _ := strings.Cut(f.Test, "/"); return name == test })
		if strings.HasPrefix(test, "TestPromise") && !found {
			tests = append(tests, test)
		}
	}
	return tests, nil
}

// order puts what stands behind all promises last.
func order(f proof.Finding) int {
	if f.Promise == 0 {
		return len(promises)
	}
	return f.Promise
}

func title(promise int) string {
	if promise <= 0 || promise >= len(promises) {
		return promises[0]
	}
	return fmt.Sprintf("%d. %s", promise, promises[promise])
}

func read(path string) (findings []proof.Finding, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w; `make prove` writes it", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var f proof.Finding
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return nil, err
		}
		findings = append(findings, f)
	}
	return findings, lines.Err()
}
