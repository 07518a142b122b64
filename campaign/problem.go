package campaign

import (
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a Problem stops a file from being applied.
type Severity int

// Severities.
const (
	Error   Severity = iota // the file cannot be applied
	Warning                 // it can, but somebody should look at it
)

// Problem is one thing that is wrong in a file, in words for its author.
type Problem struct {
	Pos      Pos
	Message  string // what is wrong, and what was expected
	Severity Severity
}

// String gives "file:line:col: message"; warnings say that they are.
func (p Problem) String() string {
	message := p.Message
	if p.Severity == Warning {
		message = "warning: " + message
	}
	return p.Pos.String() + ": " + message
}

// String gives "file:line:col".
func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Problems is all that is wrong, in the order of the files.
type Problems []Problem

// Errors leaves out the warnings.
func (ps Problems) Errors() Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return p.Severity != Error })
}

// Err is nil if there are no errors; warnings alone are not one.
func (ps Problems) Err() error {
	if errs := ps.Errors(); len(errs) > 0 {
		return errs
	}
	return nil
}

// Error gives one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sorted orders by file, line and column and drops exact repetitions.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if c := strings.Compare(a.Pos.File, b.Pos.File); c != 0 {
			return c
		}
		if a.Pos.Line != b.Pos.Line {
			return a.Pos.Line - b.Pos.Line
		}
		return a.Pos.Column - b.Pos.Column
	})
	return slices.Compact(ps)
}

// nearest gives the word that was probably meant, or "".
func nearest(word string, words []string) string {
	best, distance := "", len(word)/3+2
	for _, candidate := range words {
		if d := editDistance(word, candidate); d < distance {
			best, distance = candidate, d
		}
	}
	return best
}

// didYouMean continues a sentence about an unknown word: with the nearest known
// one, or with all of them.
func didYouMean(word string, words []string) string {
	if near := nearest(word, words); near != "" {
		return fmt.Sprintf("; did you mean `%s`?", near)
	}
	return "; expected " + listed(words)
}

// listed gives "`a`, `b` or `c`".
func listed(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "`" + w + "`"
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " or " + quoted[len(quoted)-1]
}

// editDistance counts insertions, deletions and replacements (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
