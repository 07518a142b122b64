// Command table prints the findings of `make prove` as a table: for each promise
// what was tried, how often, and what was found.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
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
	if len(args) != 1 {
		return fmt.Errorf("say which file holds them")
	}
	findings, err := read(args[0])
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
	fmt.Fprintf(out, "\n%d findings, %s\n", len(findings), time.Now().Format(time.DateOnly))
	return out.Flush()
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
