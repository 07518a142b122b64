package cli

import (
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/store"
)

func (a *app) codesCommand() *cobra.Command {
	var limit int
	listing := &cobra.Command{Use: "list", Short: "List coupons", Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return list(cmd.Context(), a, "/v1/coupons", nil, limit, func(w io.Writer, coupons []store.CouponSummary) {
			rows := make([][]string, len(coupons))
			for i, c := range coupons {
				rows[i] = []string{c.Name, c.Pool, c.State, number(int64(c.Waiting)), c.Realm}
			}
			table(w, "No coupons yet: write one, then `scrip apply`.", []string{"COUPON", "CODES", "STATE", "WAITING", "SHOP"}, rows)
		})
	}}
	listing.Flags().IntVar(&limit, "limit", 50, "how many at most; 0 is all")
	return parent("codes", "Import codes into coupons and count them", listing, a.codesStats(), a.codesImport())
}

func (a *app) codesStats() *cobra.Command {
	return &cobra.Command{Use: "stats COUPON", Short: "Count a coupon's codes by what became of them", Args: needs("a coupon"), RunE: func(cmd *cobra.Command, args []string) error {
		return show(cmd.Context(), a, request{method: "GET", path: "/v1/coupons/" + url.PathEscape(args[0]) + "/stats"}, func(w io.Writer, stats struct {
			Coupon                                                         string
			Available, Assigned, Held, Exposed, Applied, Redeemed, Expired int64
			Withdrawn, Returned, Waiting, Uses                             int64
			Unlimited                                                      bool
			Spent                                                          string
			Sets                                                           map[string]int64
		}) {
			available := number(stats.Available)
			if stats.Unlimited {
				available = "no end"
			}
			facts(w, "coupon", stats.Coupon, "available", available, "assigned", number(stats.Assigned), "  unseen", number(stats.Held), "  seen", number(stats.Exposed),
				"  applied", number(stats.Applied), "  redeemed", number(stats.Redeemed), "  expired", number(stats.Expired), "  withdrawn", number(stats.Withdrawn),
				"returned", number(stats.Returned), "waiting", number(stats.Waiting), "uses", number(stats.Uses), "discounts given", stats.Spent)
			for _, name := range slices.Sorted(maps.Keys(stats.Sets)) {
				fmt.Fprintf(w, "set %s: %d available\n", name, stats.Sets[name])
			}
		})
	}}
}

func (a *app) codesImport() *cobra.Command {
	var format, set, until, column string
	command := &cobra.Command{Use: "import COUPON FILE", Short: "Add codes to a coupon's list, from CSV, JSON or lines", Args: needs("a coupon", "a file, or - for what is piped in"),
		Long: "Adds what is new. Duplicates, malformed and used lines are reported by number; the\nrest is kept. The same file again goes on where it broke off.",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := a.open(args[1], format, map[string]string{"csv": "text/csv", "json": "application/json", "jsonl": "application/x-ndjson", "ndjson": "application/x-ndjson", "lines": "text/plain", "txt": "text/plain"})
			if err != nil {
				return err
			}
			defer file.Close()
			name, childSet := store.SplitCoupon(args[0])
			if set == "" {
				set = childSet
			}
			bar := a.progress("importing codes", file.size)
			query := withValues(url.Values{"set": {set}, "valid_until": {until}, "code_column": {column}})
			answer, err := a.call(cmd.Context(), request{method: "POST", path: "/v1/coupons/" + url.PathEscape(name) + "/codes", query: query, upload: bar.reader(file), kind: file.kind})
			bar.end()
			if err != nil {
				return err
			}
			return print(a, answer, showImport)
		}}
	flags := command.Flags()
	flags.StringVar(&format, "format", "", "csv, json or lines; default: by the file's name")
	flags.StringVar(&set, "set", "", "child set of rows that name none")
	flags.StringVar(&until, "valid-until", "", "2027-01-31: last day of rows that have no expiry")
	flags.StringVar(&column, "code-column", "", "column of the codes; default: code")
	return command
}

func showImport(w io.Writer, report store.ImportReport) {
	fmt.Fprintf(w, "%s added.\n", count(report.Added, "code"))
	if report.Resumed {
		fmt.Fprintln(w, "An earlier import of this file had broken off; this one went on from there.")
	}
	if report.Lines == 0 {
		fmt.Fprintln(w, "The file is empty.")
	}
	words := map[string]string{
		store.ProblemDuplicate: "in the coupon already", store.ProblemRepeated: "twice in the file", store.ProblemMalformed: "not a code",
		store.ProblemUsed: "marked as used", store.ProblemExpired: "expired", store.ProblemTaken: "another coupon's", store.ProblemSet: "of a set that the coupon doesn't have",
	}
	for _, kind := range slices.Sorted(maps.Keys(report.Counts)) {
		var lines []string
		for _, problem := range report.Problems {
			if problem.Kind == kind && len(lines) < 10 {
				lines = append(lines, number(problem.Line))
			}
		}
		more := ""
		if report.Counts[kind] > int64(len(lines)) {
			more = " …"
		}
		fmt.Fprintf(w, "  %s left out, %s: line %s%s\n", number(report.Counts[kind]), words[kind], joined(lines), more)
	}
}

func joined(words []string) string {
	out := ""
	for i, word := range words {
		if i > 0 {
			out += ", "
		}
		out += word
	}
	return out
}
