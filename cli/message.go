package cli

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/store"
)

func (a *app) messageCommand() *cobra.Command {
	var limit int
	var contact, journey, state, channel string
	listing := &cobra.Command{Use: "list", Short: "List messages, the newest first", Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		query := url.Values{"contact": {contact}, "journey": {journey}, "state": {state}, "channel": {channel}}
		return list(cmd.Context(), a, "/v1/messages", query, limit, showMessages)
	}}
	flags := listing.Flags()
	flags.IntVar(&limit, "limit", 50, "how many at most; 0 is all")
	flags.StringVar(&contact, "contact", "", "only to this contact")
	flags.StringVar(&journey, "journey", "", "only of this journey")
	flags.StringVar(&state, "state", "", "reserved, skipped, calling, accepted, refused, unknown or parked")
	flags.StringVar(&channel, "channel", "", "email or sms")
	var yes bool
	resend := &cobra.Command{Use: "resend MESSAGE", Short: "Send a message again whose outcome is unknown", Args: needs("a message"), RunE: func(cmd *cobra.Command, args []string) error {
		if !yes {
			ok, err := a.confirm("Are you certain that it did not arrive? It would come twice otherwise.")
			if err != nil || !ok {
				return err
			}
		}
		return show(cmd.Context(), a, request{method: "POST", path: "/v1/messages/" + url.PathEscape(args[0]) + "/resend"}, func(w io.Writer, _ any) {
			fmt.Fprintf(w, "%s is sent again.\n", args[0])
		})
	}}
	resend.Flags().BoolVar(&yes, "yes", false, "don't ask")
	return parent("message", "Look at messages and send them again", listing, resend)
}

func showMessages(w io.Writer, messages []store.MessageSummary) {
	rows := make([][]string, len(messages))
	for i, m := range messages {
		state := m.State
		if m.Delivery != "" {
			state += ", " + m.Delivery
		}
		rows[i] = []string{m.ID, m.Step, m.Channel, m.Contact, state, m.Reason, moment(m.CreatedAt)}
	}
	table(w, "No messages.", []string{"MESSAGE", "STEP", "CHANNEL", "CONTACT", "STATE", "WHY", "AT"}, rows)
}

func (a *app) unknownCommand() *cobra.Command {
	var limit int
	listing := &cobra.Command{Use: "list", Short: "List messages whose outcome nobody knows", Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return list(cmd.Context(), a, "/v1/unknown", nil, limit, showMessages)
	}}
	listing.Flags().IntVar(&limit, "limit", 50, "how many at most; 0 is all")
	verdicts := []string{store.VerdictAccepted, store.VerdictResend, store.VerdictGiveUp}
	resolve := &cobra.Command{Use: "resolve MESSAGE accepted|resend|give_up", Short: "Settle a message: it arrived, send it again, or leave it", Args: needs("a message", "a verdict"), RunE: func(cmd *cobra.Command, args []string) error {
		if !slices.Contains(verdicts, args[1]) {
			return usage("%q is no verdict; choose from %s", args[1], strings.Join(verdicts, ", "))
		}
		return show(cmd.Context(), a, request{method: "POST", path: "/v1/unknown/" + url.PathEscape(args[0]) + "/resolve", body: map[string]any{"verdict": args[1]}}, func(w io.Writer, _ any) {
			fmt.Fprintf(w, "%s is settled: %s.\n", args[0], args[1])
		})
	}}
	return parent("unknown", "Settle messages whose outcome nobody knows", listing, resolve)
}
