package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/store"
)

// signals are what a person may tell a journey.
var signals = []string{"redeemed", "applied", "exit", "skip", "pause", "resume"}

func (a *app) journeyCommand() *cobra.Command {
	var limit int
	var campaign, contact, state string
	listing := &cobra.Command{Use: "list", Short: "List journeys, the newest first", Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		query := url.Values{"campaign": {campaign}, "contact": {contact}, "state": {state}}
		return list(cmd.Context(), a, "/v1/journeys", query, limit, func(w io.Writer, journeys []store.JourneySummary) {
			rows := make([][]string, len(journeys))
			for i, j := range journeys {
				what := j.Outcome
				if j.State == "parked" {
					what = j.ParkedReason
				}
				rows[i] = []string{j.ID, j.Campaign, number(int64(j.Version)), j.Contact, j.State, what, moment(j.EnteredAt)}
			}
			table(w, "No journeys.", []string{"JOURNEY", "CAMPAIGN", "VERSION", "CONTACT", "STATE", "WHY", "ENTERED"}, rows)
		})
	}}
	flags := listing.Flags()
	flags.IntVar(&limit, "limit", 50, "how many at most; 0 is all")
	flags.StringVar(&campaign, "campaign", "", "only of this campaign")
	flags.StringVar(&contact, "contact", "", "only of this contact")
	flags.StringVar(&state, "state", "", "pending, running, parked or ended")
	showing := &cobra.Command{Use: "show JOURNEY", Short: "Show a journey: codes, steps, and where it stands", Args: needs("a journey"), RunE: func(cmd *cobra.Command, args []string) error {
		return show(cmd.Context(), a, request{method: "GET", path: "/v1/journeys/" + url.PathEscape(args[0])}, showJourney)
	}}
	return parent("journey", "Look at journeys and talk to them", listing, showing, a.journeySignal(), a.journeyCancel())
}

type journeyAnswer struct {
	store.JourneyDetail
	Status json.RawMessage `json:"status"`
	Note   string          `json:"note"`
}

func showJourney(w io.Writer, j journeyAnswer) {
	facts(w, "journey", j.ID, "campaign", fmt.Sprintf("%s, version %d", j.Campaign, j.Version), "contact", j.Contact, "state", j.State,
		"parked at", j.ParkedStep, "because", j.ParkedReason, "outcome", j.Outcome, "ended at", j.EndedStep,
		"entered", moment(j.EnteredAt), "ended", maybe(j.EndedAt), "workflow", j.Workflow)
	if len(j.Codes) > 0 {
		var rows [][]string
		for _, c := range j.Codes {
			rows = append(rows, []string{c.Coupon, c.Code, c.State, maybe(c.ExpiresAt)})
		}
		fmt.Fprintln(w)
		table(w, "", []string{"COUPON", "CODE", "STATE", "EXPIRES"}, rows)
	}
	if len(j.Steps) > 0 {
		var rows [][]string
		for _, s := range j.Steps {
			rows = append(rows, []string{s.Step, s.Status, s.Reason, s.ID, moment(s.At)})
		}
		fmt.Fprintln(w)
		table(w, "", []string{"STEP", "STATUS", "WHY", "MESSAGE", "AT"}, rows)
	}
	showStatus(w, j)
}

// showStatus prints what the workflow says of itself.
func showStatus(w io.Writer, j journeyAnswer) {
	var status struct {
		Says, Waiting, Held string
		Until               time.Time
		Paused              bool
	}
	if len(j.Status) == 0 || json.Unmarshal(j.Status, &status) != nil {
		if j.Note != "" {
			fmt.Fprintln(w, "\n"+j.Note+".")
		}
		return
	}
	paused := ""
	if status.Paused {
		paused = "yes"
	}
	fmt.Fprintln(w)
	facts(w, "now", status.Says, "waiting for", status.Waiting, "until", moment(status.Until), "held for", status.Held, "paused", paused)
}

func (a *app) journeySignal() *cobra.Command {
	var order, outcome string
	signal := &cobra.Command{Use: "signal JOURNEY SIGNAL", Short: "Tell a journey something: " + strings.Join(signals, ", "), Args: needs("a journey", "a signal"),
		Example: "  scrip journey signal jn_0123 redeemed --order 1001\n  scrip journey signal jn_0123 skip",
		RunE: func(cmd *cobra.Command, args []string) error {
			payload := map[string]any{}
			if order != "" {
				payload["order"] = order
			}
			if outcome != "" {
				payload["outcome"] = outcome
			}
			return show(cmd.Context(), a, request{method: "POST", path: "/v1/journeys/" + url.PathEscape(args[0]) + "/signal", body: map[string]any{"signal": args[1], "payload": payload}},
				func(w io.Writer, _ any) { fmt.Fprintf(w, "%s is told: %s.\n", args[0], args[1]) })
		}}
	signal.Flags().StringVar(&order, "order", "", "with redeemed: the order's id")
	signal.Flags().StringVar(&outcome, "outcome", "", "with exit: what the journey ends as")
	return signal
}

func (a *app) journeyCancel() *cobra.Command {
	return &cobra.Command{Use: "cancel JOURNEY", Short: "End a journey as stopped", Args: needs("a journey"), RunE: func(cmd *cobra.Command, args []string) error {
		return show(cmd.Context(), a, request{method: "POST", path: "/v1/journeys/" + url.PathEscape(args[0]) + "/cancel"},
			func(w io.Writer, _ any) { fmt.Fprintf(w, "%s ends.\n", args[0]) })
	}}
}
