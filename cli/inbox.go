package cli

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) inboxCommand() *cobra.Command {
	var limit int
	failed := &cobra.Command{Use: "failed", Short: "List webhooks and events that failed, with the reason", Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return list(cmd.Context(), a, "/v1/inbox/failed", nil, limit, func(w io.Writer, letters []struct {
			ID                        int64
			Connection, Topic, Reason string
			FailedAt                  time.Time `json:"failed_at"`
		}) {
			rows := make([][]string, len(letters))
			for i, l := range letters {
				rows[i] = []string{number(l.ID), l.Connection, l.Topic, l.Reason, moment(l.FailedAt)}
			}
			table(w, "Nothing failed.", []string{"ID", "CONNECTION", "TOPIC", "WHY", "AT"}, rows)
		})
	}}
	failed.Flags().IntVar(&limit, "limit", 50, "how many at most; 0 is all")
	var all bool
	replay := &cobra.Command{Use: "replay [ID …]", Short: "Try failed webhooks and events again", RunE: func(cmd *cobra.Command, args []string) error {
		if all == (len(args) > 0) {
			return usage("name the ids that `scrip inbox failed` lists, or pass --all")
		}
		body := map[string]any{"all": all}
		if !all {
			ids := make([]int64, len(args))
			for i, arg := range args {
				id, err := strconv.ParseInt(arg, 10, 64)
				if err != nil {
					return usage("%q is not an id that `scrip inbox failed` lists", arg)
				}
				ids[i] = id
			}
			body = map[string]any{"ids": ids}
		}
		return show(cmd.Context(), a, request{method: "POST", path: "/v1/inbox/replay", body: body}, func(w io.Writer, done struct{ Replayed int64 }) {
			fmt.Fprintf(w, "%d tried again.\n", done.Replayed)
		})
	}}
	replay.Flags().BoolVar(&all, "all", false, "every one")
	return parent("inbox", "Look at what failed on its way in, and replay it", failed, replay)
}

func (a *app) killSwitchCommand() *cobra.Command {
	set := func(name, short, says string, on bool) *cobra.Command {
		return &cobra.Command{Use: name, Short: short, Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd.Context(), a, request{method: "PUT", path: "/v1/kill-switch", body: map[string]any{"on": on}}, func(w io.Writer, _ any) { fmt.Fprintln(w, says) })
		}}
	}
	status := &cobra.Command{Use: "status", Short: "Is marketing held?", Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return show(cmd.Context(), a, request{method: "GET", path: "/v1/kill-switch"}, func(w io.Writer, state struct {
			On    bool
			Since *time.Time
		}) {
			if state.On {
				fmt.Fprintf(w, "All marketing messages are held since %s.\n", maybe(state.Since))
			} else {
				fmt.Fprintln(w, "Marketing messages go out.")
			}
		})
	}}
	return parent("kill-switch", "Hold all marketing messages at once",
		set("on", "Hold all marketing messages", "All marketing messages are held. `scrip kill-switch off` lets them go on.", true),
		set("off", "Let marketing messages go on", "Marketing messages go out again.", false), status)
}
