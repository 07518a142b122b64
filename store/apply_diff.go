package store

import (
	"maps"
	"slices"
	"strings"
)

// maxDiffLines bounds what is compared line by line, as the cost is the product of
// both sides.
const maxDiffLines = 3000

// lineDiff gives the lines that go, with "- " before them, and those that come,
// with "+ ", in their order. What stays is left out.
func lineDiff(before, after string) []string {
	a, b := strings.Split(strings.TrimRight(before, "\n"), "\n"), strings.Split(strings.TrimRight(after, "\n"), "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a) > maxDiffLines || len(b) > maxDiffLines {
		return []string{"too long to compare line by line"}
	}
	// common[i][j] is how many lines a[i:] and b[j:] have in common, in order.
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var lines []string
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || (i < len(a) && common[i+1][j] >= common[i][j+1]):
			lines = append(lines, "- "+a[i])
			i++
		default:
			lines = append(lines, "+ "+b[j])
			j++
		}
	}
	return lines
}

// filesDiff is the lineDiff of several files, each under its name.
func filesDiff(before, after map[string]string) []string {
	names := slices.Sorted(maps.Keys(after))
	for name := range before {
		if _, still := after[name]; !still {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var lines []string
	for _, name := range names {
		if before[name] != after[name] {
			lines = append(append(lines, name), lineDiff(before[name], after[name])...)
		}
	}
	return lines
}
