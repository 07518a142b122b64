package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"
)

// show asks the API and prints its answer: as it is with --json, else as human
// does.
func show[T any](ctx context.Context, a *app, r request, human func(w io.Writer, answer T)) error {
	answer, err := a.call(ctx, r)
	if err != nil {
		return err
	}
	return print(a, answer, human)
}

func print[T any](a *app, answer []byte, human func(w io.Writer, answer T)) error {
	if a.json {
		_, err := fmt.Fprintln(a.out, strings.TrimSpace(string(answer)))
		return err
	}
	var decoded T
	if err := json.Unmarshal(answer, &decoded); err != nil {
		return fmt.Errorf("reading the answer: %w; the running system may be of another version", err)
	}
	human(a.out, decoded)
	return nil
}

// page is a part of a list.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// maxPage is how many rows the API gives at once.
const maxPage = 200

// list shows up to limit rows of a list, asking for as many parts as that takes;
// 0 is all of them.
func list[T any](ctx context.Context, a *app, path string, query url.Values, limit int, human func(w io.Writer, rows []T)) error {
	all := page[json.RawMessage]{Items: []json.RawMessage{}}
	query = withValues(query)
	for {
		size := maxPage
		if limit > 0 {
			size = min(size, limit-len(all.Items))
		}
		query.Set("limit", strconv.Itoa(size))
		answer, err := a.call(ctx, request{method: "GET", path: path, query: query})
		if err != nil {
			return err
		}
		var part page[json.RawMessage]
		if err := json.Unmarshal(answer, &part); err != nil {
			return fmt.Errorf("reading the answer: %w; the running system may be of another version", err)
		}
		all.Items, all.Next = append(all.Items, part.Items...), part.Next
		if part.Next == "" || (limit > 0 && len(all.Items) >= limit) {
			break
		}
		query.Set("cursor", part.Next)
	}
	encoded, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("joining the answers: %w", err)
	}
	return print(a, encoded, func(w io.Writer, rows page[T]) {
		human(w, rows.Items)
		if rows.Next != "" {
			fmt.Fprintf(a.err, "… and more; --limit 0 shows all\n")
		}
	})
}

func withValues(query url.Values) url.Values {
	out := url.Values{}
	for name, values := range query {
		if len(values) > 0 && values[0] != "" {
			out[name] = values
		}
	}
	return out
}

// table prints rows under a header; nothing says so in words.
func table(w io.Writer, nothing string, header []string, rows [][]string) {
	if len(rows) == 0 {
		fmt.Fprintln(w, nothing)
		return
	}
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(columns, strings.Join(header, "\t"))
	for _, row := range rows {
		fmt.Fprintln(columns, strings.Join(row, "\t"))
	}
	_ = columns.Flush()
}

// facts prints names and values; empty values are left out.
func facts(w io.Writer, pairs ...string) {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintln(columns, pairs[i]+"\t"+pairs[i+1])
		}
	}
	_ = columns.Flush()
}

// moment prints a time as people on this machine read it.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func maybe(t *time.Time) string {
	if t == nil {
		return ""
	}
	return moment(*t)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// count gives "1 journey", "2 journeys".
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// onTerminal says whether a person watches a stream.
func onTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// confirm asks a person. Without one it refuses.
func (a *app) confirm(question string) (bool, error) {
	if !onTerminal(a.in) {
		return false, usage("nobody is here to answer; pass --yes to go on without asking")
	}
	fmt.Fprint(a.err, question+" [y/N] ")
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && line == "" {
		return false, nil
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}
